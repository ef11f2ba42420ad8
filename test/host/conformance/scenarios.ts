// What a Functions host with the Durable extension has to show, told over HTTP alone: the same tables run against the
// stand-in and, by URL, against a real host that runs ./app.
import type { Scenario } from "./api.ts";
import { apiScenarios } from "./scenarios-api.ts";
import { clientScenarios } from "./scenarios-client.ts";
import { codeScenarios } from "./scenarios-code.ts";
import { eventScenarios } from "./scenarios-events.ts";

export type { Scenario } from "./api.ts";

/** They wait most of their time and touch their own instances only, so they can run side by side. */
export const independent: readonly Scenario[] = [...codeScenarios, ...eventScenarios];

/** They list and purge what others have made, so they run one after the other, after the rest. */
export const exclusive: readonly Scenario[] = [...apiScenarios, ...clientScenarios];

export const scenarios: readonly Scenario[] = [...independent, ...exclusive];
