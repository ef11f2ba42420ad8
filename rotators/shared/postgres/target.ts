import { z } from "zod";
import type { Need } from "../../../src/azure/role.ts";
import { readSecretRole } from "../../../src/azure/vault-roles.ts";

// PostgreSQL cuts names after 63 bytes, so a longer one would quietly mean another role.
const roleName = z
  .string()
  .min(1)
  .refine((name) => Buffer.byteLength(name) <= 63 && !name.includes("\0"), "a role name has at most 63 bytes");
const hostName = z.string().min(1);
const port = z.int().min(1).max(65_535);

const tls = z.strictObject({
  /** `verify-full` checks the chain and the name; `require` only encrypts; `disable` is for servers on the same machine. */
  mode: z.enum(["verify-full", "require", "disable"]),
  /** PEM text of the certificate authority, where it is not one that Node.js knows. */
  ca: z.string().optional(),
});

/** Who may change the roles: a login by password, kept in a vault, or by an Entra token of the app's identity. */
const admin = z.union([
  z.strictObject({ user: roleName, secret: z.url({ protocol: /^https$/ }) }),
  z.strictObject({ user: roleName, entra: z.literal(true) }),
]);

const server = {
  /** Where the applications connect; may be a pooler or a read endpoint. */
  host: hostName,
  port: port.default(5432),
  database: z.string().min(1),
  /** The primary itself, where `host` is a pooler or a read endpoint: changes are made there. Absent: `host` and `port`. */
  adminHost: hostName.optional(),
  adminPort: port.optional(),
  tls: tls.default({ mode: "verify-full" }),
  /** One SQL statement that the candidate must be able to run; it runs in a read-only transaction. */
  probe: z.string().min(1).optional(),
  passwordLength: z.int().min(20).max(128).default(40),
};

const tokenNeedsTls = "an Entra token is sent as it is: tls.mode must not be `disable`";
const safeToken = (target: { tls: { mode: string }; admin?: z.infer<typeof admin> | undefined }) =>
  !(target.admin && "entra" in target.admin && target.tls.mode === "disable");

/** Two roles, used in turn. */
export const alternatingTarget = z
  .strictObject({
    ...server,
    roles: z.tuple([roleName, roleName]).refine(([a, b]) => a !== b, "the two roles must differ"),
    admin,
    /** Whether revoking also ends the sessions that the old role still has. Needs `pg_signal_backend`. */
    terminateSessions: z.boolean().default(false),
  })
  .refine(safeToken, { path: ["tls", "mode"], error: tokenNeedsTls });

/** One role, whose password is replaced. */
export const inPlaceTarget = z
  .strictObject({
    ...server,
    role: roleName,
    /** Absent: the role changes its own password. */
    admin: admin.optional(),
  })
  .refine(safeToken, { path: ["tls", "mode"], error: tokenNeedsTls });

export type AlternatingTarget = z.output<typeof alternatingTarget>;
export type InPlaceTarget = z.output<typeof inPlaceTarget>;

/** What every function here needs to know of a target. */
export type ServerTarget = Pick<AlternatingTarget, keyof typeof server> & { readonly admin?: InPlaceTarget["admin"] };

/** An administrator's password is in a vault; an Entra token is asked for with the app's identity. */
export function adminNeeds({ admin }: Pick<ServerTarget, "admin">): readonly Need[] {
  return admin !== undefined && "secret" in admin ? [{ role: readSecretRole, at: admin.secret }] : [];
}

/** The lease key of roles on one server: `postgres:<host>:<port>:<role>+<role>`, host in lower case, roles sorted. */
export function accountOf(target: ServerTarget, roles: readonly string[]): string {
  const host = (target.adminHost ?? target.host).toLowerCase();
  return `postgres:${host}:${changePort(target)}:${[...roles].sort().join("+")}`;
}

/** The port at which changes are made. */
export function changePort(target: ServerTarget): number {
  return target.adminPort ?? (target.adminHost === undefined ? target.port : 5432);
}
