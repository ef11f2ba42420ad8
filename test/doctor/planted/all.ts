import { inEvents } from "./events.ts";
import { atLast } from "./late.ts";
import type { Planted } from "./plant.ts";
import { inSettings } from "./settings.ts";
import { inPlatform } from "./platform.ts";
import { inVaults } from "./vaults.ts";

/** Every fault that the doctor must name, in the order in which they are planted. */
export const planted: readonly Planted[] = [...inSettings, ...inVaults, ...inEvents, ...inPlatform, ...atLast];
