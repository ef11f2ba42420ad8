// `node --import <this file>`: the process sees the local cloud's clock, kept in the file that PINION_CLOCK names.
import { openClock, patchDate } from "./clock.ts";

const file = process.env["PINION_CLOCK"];
if (file) patchDate(openClock(file));
