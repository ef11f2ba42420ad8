import { vi } from "vitest";
import { describeBicep, testPromise, useInfra } from "./harness/promise.ts";
import { authentication } from "./promises/authentication.ts";
import { events } from "./promises/events.ts";
import { privateNetwork } from "./promises/private.ts";
import { references } from "./promises/references.ts";
import { roles } from "./promises/roles.ts";
import { secrets } from "./promises/secrets.ts";
import { settings } from "./promises/settings.ts";
import { sharedKeys } from "./promises/shared-keys.ts";

// A prediction takes a second, and several on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

// All in one file, so that one compiler, and one prediction of each scenario, serve them all.
describeBicep("what the templates promise", () => {
  const bed = useInfra();
  const promises = [secrets, sharedKeys, privateNetwork, authentication, roles, events, settings, references];
  for (const one of promises) testPromise(one, bed);
});
