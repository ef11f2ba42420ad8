import type { Check } from "../finding.ts";
import { anonymous } from "./anonymous.ts";
import type { Outside } from "./context.ts";
import { impostor } from "./impostor.ts";
import { management } from "./management.ts";
import { reached } from "./reached.ts";
import { release } from "./release.ts";
import { transport } from "./transport.ts";

/** What only somebody outside can look at, in the order in which people should read it. */
export const outsideChecks: readonly Check<Outside>[] = [reached, anonymous, impostor, management, transport, release];
