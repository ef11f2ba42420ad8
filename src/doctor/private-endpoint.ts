import type { Context } from "./context.ts";
import { type Check, fault, ok } from "./finding.ts";
import { eachShut } from "./network.ts";

/** That whatever is shut to the public network has a private endpoint, approved. */
export const privateEndpoint: Check<Context> = {
  id: "private-endpoint",
  area: "Network",
  about: "vaults and storage that are shut to the public have an approved private endpoint",
  needs: ["settings", "identity", "policy"],
  run: (context, signal) =>
    eachShut(context, signal, async ({ name, connections }) => {
      const states = connections.map(
        ({ properties }) => properties.privateLinkServiceConnectionState?.status ?? "Unknown",
      );
      if (states.includes("Approved")) return [ok(name, "has an approved private endpoint")];
      return states.length === 0
        ? [
            fault(
              name,
              "is shut to the public network and has no private endpoint",
              "Deploy infra/main.bicep with network access 'private', or make a private endpoint for it in the app's network.",
            ),
          ]
        : [
            fault(
              name,
              `has a private endpoint that is ${states.join(", ")}`,
              `Approve the connection: az network private-endpoint-connection approve, as an owner of ${name}.`,
            ),
          ];
    }),
};
