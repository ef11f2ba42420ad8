import { testRotator } from "../contract/rotator.ts";
import { alternatingHarness, inPlaceHarness } from "./postgres-harness.ts";

testRotator("postgres, alternating", alternatingHarness);
testRotator("postgres, in-place by an administrator", async () => await inPlaceHarness({ self: false }));
testRotator("postgres, in-place by the role itself", async () => await inPlaceHarness({ self: true }));
