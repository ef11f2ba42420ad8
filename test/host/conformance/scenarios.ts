// What a Functions host with the Durable extension has to show, told over HTTP alone: the same table runs against the
// stand-in and, by URL, against a real host that runs ./app. Clauses name the sections of the protocol's facts.
import { apiScenarios } from "./scenarios-api.ts";
import { clientScenarios } from "./scenarios-client.ts";
import { codeScenarios } from "./scenarios-code.ts";
import { eventScenarios } from "./scenarios-events.ts";
import type { Api } from "./api.ts";

/** One behaviour. `run` throws when the host does not show it. */
export interface Scenario {
  readonly name: string;
  /** Where only the stand-in is meant: the real host hangs, or does more. */
  readonly only?: "stand-in";
  run(api: Api): Promise<void>;
}

export const scenarios: readonly Scenario[] = [
  ...codeScenarios,
  ...eventScenarios,
  ...apiScenarios,
  ...clientScenarios,
];
