import { z } from "zod";
import type { Context } from "./context.ts";
import { type Check, fault, ok } from "./finding.ts";
import { nameOf, readArm } from "./read-arm.ts";
import { readSite } from "./site.ts";

const schema = z.object({
  properties: z.object({
    delegations: z.array(z.object({ properties: z.object({ serviceName: z.string() }) })).nullish(),
  }),
});

/** That the subnet which the app reaches its network through is delegated to its plan, without which it reaches nothing there. */
export const subnet: Check<Context> = {
  id: "subnet",
  area: "Network",
  about: "the app's integration subnet is delegated to what its plan needs",
  needs: ["settings", "identity"],
  async run(context, signal) {
    const site = await readSite(context, signal);
    const id = site?.virtualNetworkSubnetId;
    if (!id) return [];
    const found = await readArm(context, id, "2024-05-01", schema, signal);
    if (found === undefined)
      return [
        fault(
          nameOf(id),
          "does not exist, and the app is to reach its network through it",
          "Deploy infra/main.bicep with the subnet as it is now.",
        ),
      ];
    const wanted = site.functionAppConfig ? "Microsoft.App/environments" : "Microsoft.Web/serverFarms";
    const has = (found.properties.delegations ?? []).map(({ properties }) => properties.serviceName);
    if (has.some((one) => one.toLowerCase() === wanted.toLowerCase()))
      return [ok(nameOf(id), `is delegated to ${wanted}`)];
    return [
      fault(
        nameOf(id),
        has.length === 0 ? "is delegated to nothing" : `is delegated to ${has.join(", ")}`,
        `Delegate it to ${wanted}, which the app's plan needs; an empty subnet of at least /27 can be changed.`,
      ),
    ];
  },
};
