import type { Context } from "./context.ts";
import { type Check, eachOf, fault, ok, unknown } from "./finding.ts";
import { mayBeElsewhere, topicOf, topicsRoleFor } from "./topics.ts";
import { eventVaultsOf, hostOf } from "./vault.ts";

/** That each vault has its system topic, in order. */
export const eventTopic: Check<Context> = {
  id: "event-topic",
  area: "Events",
  about: "each vault has a system topic, provisioned",
  needs: ["settings", "identity", "policy"],
  async run(context, signal) {
    return eachOf(await eventVaultsOf(context), hostOf, async (vault) => {
      const topic = await topicOf(context, vault, signal);
      const host = hostOf(vault);
      if (topic === undefined && (await mayBeElsewhere(context, vault, signal)))
        return [
          unknown(
            host,
            "has no system topic in its resource group, and the doctor may not look for one in others",
            `Deploy infra/onboard.bicep for that vault. Where it has a topic in another group, assign ${topicsRoleFor(vault)} to let the doctor see it.`,
          ),
        ];
      if (topic === undefined)
        return [
          fault(
            host,
            "has no system topic, so nobody hears of what expires",
            "Deploy infra/onboard.bicep for that vault.",
          ),
        ];
      const state = topic.properties.provisioningState ?? "Succeeded";
      if (state !== "Succeeded")
        return [
          fault(
            host,
            `has the system topic ${topic.name}, which is ${state}`,
            "Deploy infra/onboard.bicep again; if it stays so, delete the topic first.",
          ),
        ];
      return [ok(host, `has the system topic ${topic.name}`)];
    });
  },
};
