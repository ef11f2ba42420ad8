import { z } from "zod";
import { PinionError } from "../errors.ts";
import type { Arm } from "./arm.ts";
import type { AzureRole } from "./role.ts";

/** At a vault, and at each other place that is asked about: without it a missing role shows only when it is used. */
export const readPermissionsRole: AzureRole = {
  key: "read-permissions",
  description: "Asks what its holder itself may do.",
  actions: ["Microsoft.Authorization/permissions/read"],
};

/** What is done at a scope: the ARM id of a resource, and the actions of the control plane (`actions`) and the data plane. */
export interface Asked {
  readonly scope: string;
  readonly actions?: readonly string[];
  readonly dataActions?: readonly string[];
}

const list = z.array(z.string()).default([]);
const permission = z.object({ actions: list, notActions: list, dataActions: list, notDataActions: list });
const reply = z.object({ value: z.array(permission), nextLink: z.string().optional() });

type Permission = z.output<typeof permission>;

/** Milliseconds for an answer that helps, and that nothing depends on. */
const patience = 10_000;

/**
 * Which of the needed actions the app's identity lacks, by Azure's own account of it ("List For Resource", Microsoft.Authorization
 * 2022-04-01: what every role assignment at the scope and above it gives). Undefined where Azure does not tell: no answer, no right to
 * read one's own permissions, more assignments than one page, or none of the needed data actions is given to an identity that may well
 * have them by a vault's access policies (`byRoles`: it is known to go by roles). Throws only what asks to wait (429).
 */
export async function lacking(
  arm: Arm,
  { scope, actions = [], dataActions = [] }: Asked,
  signal: AbortSignal,
  { byRoles = false }: { readonly byRoles?: boolean } = {},
): Promise<readonly string[] | undefined> {
  const path = `${scope}/providers/Microsoft.Authorization/permissions`;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const found = await arm({ method: "GET", path, apiVersion: "2022-04-01", signal: limit }).catch((error: unknown) => {
    if (signal.aborted || (error instanceof PinionError && error.class === "throttled")) throw error;
    return undefined;
  });
  const parsed = reply.safeParse(found);
  if (!parsed.success) return undefined;
  const { value, nextLink } = parsed.data;
  const missing = actions.filter((action) => !value.some((one) => gives(one, action)));
  const missingData = dataActions.filter((action) => !value.some((one) => givesData(one, action)));
  const byPolicy = !byRoles && dataActions.length > 0 && missingData.length === dataActions.length;
  const all = byPolicy ? missing : [...missing, ...missingData];
  if (all.length > 0) return nextLink === undefined ? all : undefined;
  return byPolicy ? undefined : [];
}

const gives = ({ actions, notActions }: Permission, action: string): boolean =>
  actions.some((pattern) => fits(pattern, action)) && !notActions.some((pattern) => fits(pattern, action));

const givesData = ({ dataActions, notDataActions }: Permission, action: string): boolean =>
  gives({ actions: dataActions, notActions: notDataActions, dataActions: [], notDataActions: [] }, action);

/** Actions are compared without case; `*` stands for anything. */
function fits(pattern: string, action: string): boolean {
  const parts = pattern.toLowerCase().split("*");
  const text = action.toLowerCase();
  if (parts.length === 1) return text === parts[0];
  let at = 0;
  for (const [n, part] of parts.entries()) {
    const found =
      n === parts.length - 1 ? (text.endsWith(part) ? text.length - part.length : -1) : text.indexOf(part, at);
    if (found < at || (n === 0 && found !== 0)) return false;
    at = found + part.length;
  }
  return true;
}
