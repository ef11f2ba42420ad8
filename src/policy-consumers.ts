import { z } from "zod";
import { durationSchema, positiveDurationSchema } from "./duration.ts";
import { arm, field, isSafeUrl, label, text } from "./policy-texts.ts";

// The kinds of consumers in rotations.json. A new kind is a schema here, a line in the union, and a line in claims.

const healthSchema = z.strictObject({
  url: z
    .string({ error: "an https URL" })
    .refine(isSafeUrl, { error: "an https URL without user name (http only to this machine)" })
    .meta({ description: "Answers well only while the consumer can use its credential.", format: "uri" }),
  expect: z.int().min(100).max(599).default(200).describe("The HTTP status that means healthy."),
  timeout: positiveDurationSchema.prefault("PT10S"),
  versionField: field
    .exactOptional()
    .describe("Field of the JSON reply that holds the version in use; then it must be the new one."),
});

/** What every kind has. */
const common = {
  id: label,
  reads: z.enum(["pinned", "latest"]).describe("Whether the reference names a version (pinned) or none (latest)."),
  lag: durationSchema.describe("The longest time for which it may go on using the old value after it was moved."),
  health: healthSchema.exactOptional(),
  owner: z.literal("pinion").default("pinion").describe("Who moves its pin: Pinion."),
} as const;

const appService = z.strictObject({
  kind: z.literal("app-service"),
  resourceId: arm(
    "[mM]icrosoft\\.[wW]eb",
    "sites/[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]",
    "Microsoft.Web/sites/<name>",
  ),
  slot: text("the name of a deployment slot", /^[A-Za-z0-9][A-Za-z0-9-]{0,58}$/).exactOptional(),
  setting: text("the name of an app setting", /^[A-Za-z0-9_.:-]{1,128}$/).describe(
    "The app setting that holds the Key Vault reference.",
  ),
  ...common,
});

/** A resource that is encrypted with a key of the vault: `reads` says whether its configuration names a version, or follows the newest. */
const keyHolder = <K extends string>(kind: K, provider: string, name: string, expected: string) =>
  z.strictObject({ kind: z.literal(kind), resourceId: arm(provider, name, expected), ...common });

const storageAccount = keyHolder(
  "storage-account",
  "[mM]icrosoft\\.[sS]torage",
  "storageAccounts/[a-z0-9]{3,24}",
  "Microsoft.Storage/storageAccounts/<name>",
);
const diskEncryptionSet = keyHolder(
  "disk-encryption-set",
  "[mM]icrosoft\\.[cC]ompute",
  "diskEncryptionSets/[A-Za-z0-9_.-]{1,80}",
  "Microsoft.Compute/diskEncryptionSets/<name>",
);
const cosmosDb = keyHolder(
  "cosmos-db",
  "[mM]icrosoft\\.[dD]ocument[dD][bB]",
  "databaseAccounts/[a-z0-9][a-z0-9-]{2,49}",
  "Microsoft.DocumentDB/databaseAccounts/<name>",
);
const sqlServer = [
  "[mM]icrosoft\\.[sS]ql",
  "(servers|managedInstances)/[a-z0-9][a-z0-9-]{0,62}",
  "Microsoft.Sql/servers/<name>, or .../managedInstances/<name>",
] as const;
const sqlTde = keyHolder("sql-tde", ...sqlServer).extend({
  secondaries: z
    .array(arm(...sqlServer))
    .exactOptional()
    .describe("Servers with geo-replicas of its databases, where no failover group tells them; they move first."),
});

// These two never tell which version they use, so one that follows the newest could not be proven.
const pinnedOnly = {
  reads: z.literal("pinned").describe("It names a version: the service does not tell which it uses."),
};
const namespace = "namespaces/[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]";
const serviceBus = keyHolder(
  "service-bus",
  "[mM]icrosoft\\.[sS]ervice[bB]us",
  namespace,
  "Microsoft.ServiceBus/namespaces/<name>",
).extend(pinnedOnly);
const eventHubs = keyHolder(
  "event-hubs",
  "[mM]icrosoft\\.[eE]vent[hH]ub",
  namespace,
  "Microsoft.EventHub/namespaces/<name>",
).extend(pinnedOnly);

const secretUrl = "the URL of a secret, https://<vault host>/secrets/<name>, without a version";

/** Somebody's own machine, with a receiver of Pinion's calls on it: docs/consumers/webhook.md. */
const webhook = z.strictObject({
  kind: z.literal("webhook"),
  url: z
    .string({ error: "an https URL" })
    .refine(isSafeUrl, { error: "an https URL without user name (http only to this machine)" })
    .meta({ description: "Where its receiver listens.", format: "uri" }),
  key: text(secretUrl, /^https:\/\/[^/?#@\\\s]+\/secrets\/[A-Za-z0-9-]{1,127}$/).describe(
    "The secret with the key that signs Pinion's calls: at least 32 characters.",
  ),
  ...common,
});

/** A consumer as the file has it; `kind` says which fields it has. */
export const consumerSchema = z.discriminatedUnion("kind", [
  appService,
  storageAccount,
  sqlTde,
  diskEncryptionSet,
  cosmosDb,
  serviceBus,
  eventHubs,
  webhook,
]);

/** Something that reads a managed object. `lag` and `health.timeout` are milliseconds. */
export type PolicyConsumer = z.output<typeof consumerSchema>;
export type ConsumerKind = PolicyConsumer["kind"];
/** A consumer of one kind. */
export type ConsumerOf<K extends ConsumerKind> = ByKind[K];
type ByKind = { readonly [Consumer in PolicyConsumer as Consumer["kind"]]: Consumer };
/** How a consumer's own endpoint says that it is well. */
export type Health = NonNullable<PolicyConsumer["health"]>;

/** Kinds whose resources are encrypted with a key. */
export type KeyHolderKind =
  | "storage-account"
  | "sql-tde"
  | "disk-encryption-set"
  | "cosmos-db"
  | "service-bus"
  | "event-hubs";

/** What a consumer claims for its object alone: the field that a fault names, what it is in words, and the key that two claims of one thing share. */
export interface ConsumerClaim {
  readonly field: string;
  readonly what: string;
  readonly key: readonly (string | undefined)[];
}

const soleKey =
  (what: string) =>
  ({ resourceId }: { readonly resourceId: string }): ConsumerClaim => ({
    field: "resourceId",
    what: `the key of that ${what}`,
    key: ["key", resourceId],
  });
/** What may serve several objects: a namespace has several keys, for redundancy. */
const nothing = () => undefined;

const claims: { readonly [K in ConsumerKind]: (consumer: ConsumerOf<K>) => ConsumerClaim | undefined } = {
  "app-service": ({ resourceId, slot, setting }) => ({
    field: "setting",
    what: `the setting ${setting} of that site`,
    key: ["setting", resourceId, slot, setting],
  }),
  "storage-account": soleKey("storage account"),
  "sql-tde": soleKey("server"),
  "disk-encryption-set": soleKey("disk encryption set"),
  "cosmos-db": soleKey("account"),
  "service-bus": nothing,
  "event-hubs": nothing,
  // One receiver may serve many objects: each call names its own.
  webhook: nothing,
};

export function claimOf<K extends ConsumerKind>(kind: K, consumer: ConsumerOf<K>): ConsumerClaim | undefined {
  return claims[kind](consumer);
}

/** The kinds of managed objects that a kind of consumer can read. */
export const readable: Readonly<Record<ConsumerKind, readonly string[]>> = {
  "app-service": ["secret", "certificate"],
  "storage-account": ["key"],
  "sql-tde": ["key"],
  "disk-encryption-set": ["key"],
  "cosmos-db": ["key"],
  "service-bus": ["key"],
  "event-hubs": ["key"],
  webhook: ["secret", "certificate", "key"],
};
