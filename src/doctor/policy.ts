import type { Context } from "./context.ts";
import { type Check, fault, ok, warning } from "./finding.ts";

/** Every fault of the policy, and whether it lets anything be rotated. */
export const policy: Check<Context> = {
  id: "policy",
  area: "Policy",
  about: "the policy can be read and has no fault",
  needs: ["settings"],
  async run(context) {
    const { policy, faults } = await context.policy();
    const said = faults.map(({ path, object, message, expected }) =>
      fault(
        object ?? (path === "" ? "policy" : path),
        path === "" ? `${message}.` : `${path} ${message}.`,
        `Expected: ${expected}.`,
      ),
    );
    if (policy === undefined || said.length > 0) return said;
    return policy.objects.length === 0
      ? [warning("policy", "names no object, so there is nothing to rotate", "Declare objects in it.")]
      : [ok("policy", `${policy.objects.length} objects in ${Object.keys(policy.vaults).length} vaults`)];
  },
};
