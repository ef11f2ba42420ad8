import { killSuite } from "./kill-suite.ts";
import { reports } from "./world.ts";

killSuite(reports);
