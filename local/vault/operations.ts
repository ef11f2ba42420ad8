import { certificateOperations } from "./certificates/operations.ts";
import { keyCryptoOperations } from "./keys/crypto.ts";
import { keyOperations } from "./keys/keys.ts";
import { rotationPolicyOperations } from "./keys/rotation-policy.ts";
import { rotationOperations } from "./keys/rotation.ts";
import type { Operation } from "./model.ts";
import { secretOperations } from "./secrets.ts";

/** Every operation of the data plane. */
export const operations: readonly Operation[] = [
  ...secretOperations,
  ...keyOperations,
  ...keyCryptoOperations,
  ...rotationPolicyOperations,
  ...rotationOperations,
  ...certificateOperations,
];
