import { hmacSecret } from "../../rotators/hmac-secret.ts";
import { accountOf } from "../../rotators/shared/hmac/target.ts";
import type { HmacTarget } from "../../rotators/shared/hmac/target.ts";
import { testRotator } from "../contract/rotator.ts";
import type { Harness } from "../contract/rotator.ts";
import { makeLab, start } from "./lab.ts";
import type { LabOptions } from "./lab.ts";
import { startVerifier } from "./server.ts";

const harness = (options: LabOptions) => async (): Promise<Harness<HmacTarget>> => {
  const verifier = await startVerifier(() => start);
  return {
    stop: verifier.close,
    // One look and one write.
    leastCalls: 2,
    lab: async (edgeTo) => {
      const lab = makeLab(verifier, await edgeTo(verifier.port), options);
      return { ...lab, current: { ...lab.current, id: accountOf(lab.target) } };
    },
  };
};

testRotator("hmac-secret, a list in a vault, hex signatures", hmacSecret, harness({}));
testRotator(
  "hmac-secret, a JSON list, Standard Webhooks",
  hmacSecret,
  harness({ form: "standard", format: "json-array" }),
);
