import { killSuite } from "./kill-suite.ts";
import { orders } from "./world.ts";

killSuite(orders);
