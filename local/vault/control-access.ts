import { z } from "zod";
import type { Access } from "./access.ts";
import { done, ok, parse } from "./control-body.ts";
import type { ControlCall, ControlRoute } from "./controls.ts";
import type { Reply } from "./model.ts";
import { badParameter, errorReply } from "./refusal.ts";

const assignmentSchema = z.strictObject({
  principalId: z.string().min(1),
  role: z.string().min(1),
  /** An ARM id, or the part below the vault (`secrets/name`); absent: the vault. */
  scope: z.string().optional(),
});

const permissions = z.array(z.string()).optional();
const policiesSchema = z
  .record(
    z.string(),
    z.strictObject({ secrets: permissions, keys: permissions, certificates: permissions }).transform((given) => ({
      secrets: given.secrets ?? [],
      keys: given.keys ?? [],
      certificates: given.certificates ?? [],
    })),
  )
  .nullable();

const unasked = () =>
  errorReply(409, "Conflict", "These vaults take any bearer token; roles count where tokens are checked (strict).");

/** A control that needs roles to be asked at all. */
const withAccess =
  (run: (access: Access, call: ControlCall) => Reply) =>
  (call: ControlCall): Reply =>
    call.control.access ? run(call.control.access, call) : unasked();

function assign(access: Access, { vault, raw }: ControlCall): Reply {
  const { principalId, role, scope = "" } = parse(assignmentSchema, raw);
  const whole = scope.startsWith("/") ? scope : [vault.resourceId, scope].filter(Boolean).join("/");
  try {
    return ok(access.assign({ principalId, role, scope: whole }), 201);
  } catch (error) {
    if (error instanceof RangeError) throw badParameter(error.message);
    throw error;
  }
}

/** Who may do what. */
export const accessRoutes: readonly ControlRoute[] = [
  {
    method: "GET",
    path: "roles",
    does: "The role assignments (at all vaults), with the instants (ms) from and until which they count.",
    run: withAccess((access) => ok(access.assignments())),
  },
  {
    method: "POST",
    path: "roles",
    does: "Assigns one: {principalId (object id), role (name or id), scope?: ARM id, or secrets/name below this vault}.",
    run: withAccess(assign),
  },
  {
    method: "DELETE",
    path: "roles/:name",
    does: "Takes the assignment with this id away.",
    run: withAccess((access, { name }) =>
      access.unassign(name) ? { status: 204 } : errorReply(404, "NotFound", `There is no assignment ${name}.`),
    ),
  },
  {
    method: "PUT",
    path: "roles-delay",
    does: "How long a change of roles takes to count: {seconds}.",
    run: withAccess((access, { raw }) =>
      done(() =>
        access.setDelay(parse(z.strictObject({ seconds: z.number().nonnegative().max(1e9) }), raw).seconds * 1000),
      ),
    ),
  },
  {
    method: "GET",
    path: "access-policies",
    does: "The vault's access policies, or null where it goes by roles.",
    run: withAccess((access, { vault }) => ok(access.policies(vault.resourceId) ?? null)),
  },
  {
    method: "PUT",
    path: "access-policies",
    does: "Makes the vault go by access policies: {<object id>: {secrets?, keys?, certificates?: [get, list ... or all]}}; null: by roles. Makes the event of that, also where any token is taken.",
    run: ({ control, vault, raw }) =>
      done(() => control.setAccessPolicies(vault.name, parse(policiesSchema, raw) ?? undefined)),
  },
];
