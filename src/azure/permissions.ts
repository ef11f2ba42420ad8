import { z } from "zod";
import { PinionError } from "../errors.ts";
import type { Arm } from "./arm.ts";

/** What is done at a scope: the ARM id of a resource, and the actions of the control plane (`actions`) and the data plane. */
export interface Needs {
  readonly scope: string;
  readonly actions?: readonly string[];
  readonly dataActions?: readonly string[];
}

const list = z.array(z.string()).default([]);
const permission = z.object({ actions: list, notActions: list, dataActions: list, notDataActions: list });
const reply = z.object({ value: z.array(permission) });

type Permission = z.output<typeof permission>;

/**
 * Which of the needed actions the app's identity lacks, by Azure's own account of it ("List For Resource", Microsoft.Authorization
 * 2022-04-01: what every role assignment at the scope and above it gives). Undefined where Azure does not tell: the identity may not
 * read its own permissions, or no data action at all is given although the caller reads data, which then is by access policy.
 */
export async function lacking(arm: Arm, needs: Needs, signal: AbortSignal): Promise<readonly string[] | undefined> {
  const path = `${needs.scope}/providers/Microsoft.Authorization/permissions`;
  const found = await arm({ method: "GET", path, apiVersion: "2022-04-01", signal }).catch((error: unknown) => {
    const untold =
      error instanceof PinionError && ["CONSUMER_FORBIDDEN", "CONSUMER_MISCONFIGURED"].includes(error.code);
    if (untold) return undefined;
    throw error;
  });
  const parsed = reply.safeParse(found);
  if (!parsed.success) return undefined;
  const { value } = parsed.data;
  const byPolicy = needs.dataActions !== undefined && value.every(({ dataActions }) => dataActions.length === 0);
  const missing = (needs.actions ?? []).filter((action) => !value.some((one) => gives(one, action)));
  if (byPolicy) return missing.length > 0 ? missing : undefined;
  return [...missing, ...(needs.dataActions ?? []).filter((action) => !value.some((one) => givesData(one, action)))];
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
