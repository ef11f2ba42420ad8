import { scopeOf } from "../events.ts";
import type { Context } from "./context.ts";
import { type Check, fault, ok } from "./finding.ts";
import { reasonOf } from "./vault-ask.ts";

/** That the topic that Pinion tells of its rotations is there and takes its word. An empty batch publishes nothing. */
export const eventPublishing: Check<Context> = {
  id: "event-publishing",
  area: "Events",
  about: "the custom topic for Pinion's own events is reached and lets the app publish",
  needs: ["settings", "identity"],
  async run(context, signal) {
    const { topicEndpoint } = context.config;
    if (topicEndpoint === undefined) return [ok("PINION_TOPIC_ENDPOINT", "is not set: nothing is published")];
    const { host } = new URL(topicEndpoint);
    const token = await context.identity().getToken(scopeOf(topicEndpoint));
    let status: number;
    try {
      const headers = {
        authorization: `Bearer ${token?.token ?? ""}`,
        "content-type": "application/cloudevents-batch+json",
      };
      const url = new URL(topicEndpoint);
      url.searchParams.set("api-version", "2018-01-01");
      status = (await fetch(url, { method: "POST", headers, body: "[]", redirect: "error", signal })).status;
    } catch (error) {
      return [
        fault(
          host,
          `did not answer (${reasonOf(error)})`,
          "Check PINION_TOPIC_ENDPOINT, and the way out of the app's network.",
        ),
      ];
    }
    if (status === 401 || status === 403)
      return [
        fault(
          host,
          `does not let the identity publish (${status})`,
          "Give the app's identity EventGrid Data Sender on the topic.",
        ),
      ];
    if (status === 404)
      return [
        fault(
          host,
          "knows no such topic (404)",
          "Correct PINION_TOPIC_ENDPOINT: the topic's endpoint, with /api/events.",
        ),
      ];
    // Unconfirmed which of 200 and 400 Azure answers to an empty batch; both come after the right was checked.
    return [ok(host, "takes what Pinion publishes")];
  },
};
