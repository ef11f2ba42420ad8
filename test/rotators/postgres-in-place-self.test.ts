import { postgresInPlace } from "../../rotators/postgres.ts";
import { testRotator } from "../contract/rotator.ts";
import { inPlaceHarness } from "./postgres-harness.ts";

testRotator("postgres, in-place by the role itself", postgresInPlace, async () => await inPlaceHarness({ self: true }));
