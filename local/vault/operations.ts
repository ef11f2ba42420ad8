import type { Operation } from "./model.ts";
import { secretOperations } from "./secrets.ts";

/** Every operation of the data plane. */
export const operations: readonly Operation[] = [...secretOperations];
