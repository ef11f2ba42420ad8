import type { Context } from "./context.ts";
import { type Check, fault, ok, stop, warning } from "./finding.ts";

/** Every fault of the policy, and whether it lets anything be rotated. */
export const policy: Check<Context> = {
  id: "policy",
  area: "Policy",
  about: "the policy can be read and has no fault",
  needs: ["settings", "identity"],
  async run(context) {
    const { policy, faults } = await context.policy();
    // What is wrong with one object stops no other; without a policy there is nothing to look at.
    const bad = policy === undefined ? stop : fault;
    const said = faults.map(({ path, object, message, expected }) =>
      bad(
        object ?? (path === "" ? "policy" : path),
        path === "" ? `${message}.` : `${path} ${message}.`,
        `Expected: ${expected}.`,
      ),
    );
    if (policy === undefined || said.length > 0) return said;
    return policy.objects.length === 0
      ? [warning("policy", "names no object, so there is nothing to rotate", "Declare objects in it.")]
      : [ok("policy", `names ${count(policy.objects, "object")} in ${count(Object.keys(policy.vaults), "vault")}`)];
  },
};

const count = ({ length }: readonly unknown[], noun: string): string => `${length} ${noun}${length === 1 ? "" : "s"}`;
