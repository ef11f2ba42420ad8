import { z } from "zod";
import { endpointSchema } from "./certificates/endpoint.ts";
import { durationSchema, positiveDurationSchema } from "./duration.ts";
import { certificateSchema } from "./policy-certificate.ts";
import { consumerSchema } from "./policy-consumers.ts";
import { arm, field, isSafeUrl, label, text } from "./policy-texts.ts";

// The schema of rotations.json, one field at a time. Where a schema has an `error`, it is what a fault reports as *expected*.
// The kinds of consumers are in policy-consumers.ts. Rules between fields and between objects are in policy-rules.ts; reading a file is in policy-file.ts.
// Orchestrators import these types, so nothing here may need Node.

const vaultUri = "https://<vault host> without a path, query or user name";
const vaultUriSchema = z
  .string({ error: vaultUri })
  .refine((value) => isSafeUrl(value) && /^https:\/\/[^/?#@\\]+\/?$/.test(value), { error: vaultUri })
  .meta({ format: "uri" })
  .transform((value) => new URL(value).origin);

const vaultSchema = z.strictObject({
  uri: vaultUriSchema.describe("The vault's address, https://<name>.vault.azure.net."),
  resourceId: arm(
    "[mM]icrosoft\\.[kK]ey[vV]ault",
    "vaults/[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
    "Microsoft.KeyVault/vaults/<name>",
  ).describe("The vault's ARM id; events are checked against it."),
  identity: text(
    "the client id (GUID) of a user-assigned identity",
    /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/,
  )
    .transform((id) => id.toLowerCase())
    .exactOptional()
    .describe(
      "Client id of the user-assigned identity that works in this vault, in its staging vault, and on the targets and consumers of its objects. Default: the app's own.",
    ),
  staging: label
    .exactOptional()
    .describe("The name, in this file, of the vault that holds staged candidates. Default: the vault itself."),
});

const mode = z.enum(["observe", "rotate"]);

const count = z.int({ error: "a whole number" }).min(1, { error: "a whole number of at least 1" });

const limitsSchema = z.strictObject({
  concurrent: count.default(5).describe("Rotations that may run at the same time."),
  perDay: count.default(50).describe("Rotations that may start in a day (UTC)."),
  breaker: z
    .strictObject({
      failures: count
        .default(3)
        .describe("Failures in a row, per target and per vault, after which starts wait for a person."),
    })
    .prefault({}),
});

const rotatorSchema = z.strictObject({
  kind: label.describe("The kind of target."),
  strategy: z.enum(["dual", "alternating", "in-place"]),
  target: z.unknown().describe("What the rotator needs to know of its target; each kind has its own fields."),
});

const windowSchema = z.strictObject({
  cron: z
    .string({ error: "a cron expression of five fields" })
    .describe("When the window opens: minute, hour, day of month, month, day of week."),
  duration: positiveDurationSchema.describe(
    "How long it stays open, as elapsed time: a change of clocks does not stretch it.",
  ),
  timeZone: z
    .string({ error: "an IANA time zone" })
    .meta({ description: "IANA time zone of the cron expression.", examples: ["Europe/Berlin"] }),
});

const placeholders = "a template that has {password} once, {username} at most once, and text between the two";
const isTemplate = (template: string): boolean =>
  template.split("{password}").length === 2 &&
  template.split("{username}").length <= 2 &&
  !/\{username\}\{password\}|\{password\}\{username\}/.test(template);

const twoNames = { path: ["username"], error: "another name than that of the password" };

const formatSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("plain") }).describe("The value is the password, and nothing else."),
  z
    .strictObject({ type: z.literal("json"), username: field.exactOptional(), password: field.default("password") })
    .refine(({ username, password }) => username !== password, twoNames)
    .describe("A JSON object; `username` and `password` name its fields. Other fields are kept."),
  z
    .strictObject({ type: z.literal("url") })
    .describe("scheme://user:password@host/..., percent-encoded. The rest is kept."),
  z
    .strictObject({
      type: z.literal("connection-string"),
      username: field.exactOptional(),
      password: field.default("Password"),
    })
    .refine(({ username, password }) => username?.toLowerCase() !== password.toLowerCase(), twoNames)
    .describe("key=value;... with ADO.NET's quoting; `username` and `password` name its keys. Other keys are kept."),
  z
    .strictObject({ type: z.literal("template"), template: z.string().refine(isTemplate, { error: placeholders }) })
    .describe("The whole value, with {username} and {password} in their places."),
]);

const tagText = (what: string, longest: number) =>
  z.string().max(longest, { error: `${what} of at most ${longest} characters` });
const tagsSchema = z.record(
  tagText("a tag name", 256).refine((name) => name !== "" && !name.toLowerCase().startsWith("pinion-"), {
    error: "a tag name that does not start with pinion-",
  }),
  tagText("a tag value", 256),
);

/** The fields of one managed object as the file has them. */
export const objectShape = {
  id: label.describe("The object's name in commands, events and evidence. Never change it."),
  vault: label.describe("The name of its vault in `vaults`."),
  kind: z
    .enum(["secret", "certificate", "key"])
    .describe("What it is in the vault. The key and the secret of a certificate belong to the certificate."),
  name: text("a name in a vault: 1 to 127 letters, digits and hyphens", /^[A-Za-z0-9-]{1,127}$/)
    .refine((name) => !name.toLowerCase().startsWith("pinion-stage-"), {
      error: "a name that does not start with pinion-stage-",
    })
    .describe("Its name in the vault."),
  mode: mode.exactOptional().describe("Overrides the file's mode for this object."),
  rotator: rotatorSchema,
  validity: positiveDurationSchema.describe(
    "How long a new version lives: more than 31 days; of a certificate what its CA gives.",
  ),
  rotateBefore: positiveDurationSchema.prefault("P30D").describe("How long before expiry the rotation is due."),
  grace: durationSchema
    .prefault("P1D")
    .describe("How long the old credential stays untouched after the last consumer moved."),
  window: windowSchema.exactOptional().describe("When changes may be made. It never lets an expiry pass."),
  format: formatSchema.prefault({ type: "plain" }),
  certificate: certificateSchema.exactOptional().describe("What a certificate must be; of kind certificate only."),
  endpoints: z
    .array(endpointSchema)
    .max(50, { error: "at most 50 endpoints" })
    .default([])
    .describe("Where a certificate is served: each must serve the new one, or, turned back, the former one again."),
  rollback: z
    .enum(["pin", "reissue"])
    .default("pin")
    .describe(
      "How to turn back what the vault itself made newest (a key, a certificate that is not exportable): `pin` needs every consumer pinned; `reissue` accepts that readers of the newest stay on it until another is made.",
    ),
  issueWithin: positiveDurationSchema
    .exactOptional()
    .describe(
      "How long a candidate may take to come. Default: a day; where a person is waited for, most of rotateBefore.",
    ),
  remindEvery: positiveDurationSchema
    .prefault("P1D")
    .describe("How often a reminder is sent while a person is waited for."),
  disableOld: z
    .boolean()
    .default(false)
    .describe(
      "Of kind key: whether old versions are disabled once no backup that the consumers tell of can need them. Never before; nothing is deleted.",
    ),
  consumers: z
    .array(consumerSchema)
    .describe("Everything that reads the object. An empty list says that nothing does."),
  validate: z
    .strictObject({
      successes: count.default(1).describe("Logins in a row that must succeed."),
      over: durationSchema.prefault("PT0S").describe("The time they are spread over, for targets that replicate."),
    })
    .prefault({}),
  suspend: z
    .strictObject({
      watch: durationSchema
        .prefault("PT10M")
        .describe("How long consumers are watched after the old credential was suspended."),
      idleFor: durationSchema.prefault("PT5M").describe("How long the old credential must have been idle before."),
    })
    .prefault({}),
  revoke: z
    .strictObject({
      maxHold: positiveDurationSchema
        .prefault("P7D")
        .describe("How long a credential still in use may hold its revocation before an alert."),
    })
    .prefault({}),
  retry: z
    .strictObject({
      backoff: positiveDurationSchema.prefault("PT1H").describe("The wait after a first failed rotation; it doubles."),
      maxBackoff: positiveDurationSchema.prefault("P1D"),
      attempts: count.default(5).describe("Failures in a row after which the object is quarantined."),
    })
    .prefault({}),
  pairedWith: z.array(label).default([]).describe("Other objects on the same account; each must name the other."),
  acceptGap: z.boolean().default(false).describe("Accepts that logins fail for a moment; in-place needs it."),
  tags: tagsSchema
    .refine((tags) => Object.keys(tags).length <= 10, { error: "at most 10 tags" })
    .default({})
    .describe("Tags, such as the owner, that each new version gets."),
} as const;

/** The fields of the file but `objects`, which are read one by one. */
export const fileShape = {
  $schema: z.string().exactOptional(),
  version: z.literal(1),
  mode: mode
    .default("observe")
    .describe("`observe` checks and reports; nothing is rotated until a person writes `rotate`."),
  vaults: z.record(label, vaultSchema).describe("The vaults, each by a short name."),
  limits: limitsSchema.prefault({}),
} as const;

const objectSchema = z.strictObject(objectShape);
const fileSchema = z.strictObject(fileShape);

/** `observe`: preflight and report only. `rotate`: act. */
export type Mode = z.output<typeof mode>;
/** How a rotator makes room for the new credential. */
export type Strategy = ManagedObject["rotator"]["strategy"];
/** A vault of the policy. `uri` has no slash at its end. */
export type PolicyVault = z.output<typeof vaultSchema>;
/** When changes may be made; `duration` in milliseconds. */
export type Window = z.output<typeof windowSchema>;
/** How the value of a managed object is written. */
export type Format = z.output<typeof formatSchema>;
/** The rules of the whole fleet. */
export type Limits = z.output<typeof limitsSchema>;
/** One managed object, its defaults filled in and `mode` settled. All durations are milliseconds. Plain JSON, safe in history. */
export type ManagedObject = Omit<z.output<typeof objectSchema>, "mode"> & { mode: Mode };
/** A policy: its sound objects only. */
export type Policy = Omit<z.output<typeof fileSchema>, "$schema"> & { objects: ManagedObject[] };

/** A rotator's declaration, as far as the file's schema needs it. */
export interface RotatorShape {
  readonly kind: string;
  readonly strategy: Strategy;
  readonly target: z.ZodType;
}

/** The schema of the whole file, for editors: with the target's own fields for each rotator given. */
export function policySchema(rotators: readonly RotatorShape[]): z.ZodType {
  const [first, ...others] = rotators.map(({ kind, strategy, target }) =>
    rotatorSchema.extend({ kind: z.literal(kind), strategy: z.literal(strategy), target }),
  );
  const rotator = first === undefined ? rotatorSchema : z.union([first, ...others]);
  return fileSchema.extend({ objects: z.array(objectSchema.extend({ rotator })).describe("The managed objects.") });
}
