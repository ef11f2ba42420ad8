import { postgresAlternating } from "../../rotators/postgres.ts";
import { testRotator } from "../contract/rotator.ts";
import { alternatingHarness } from "./postgres-harness.ts";

testRotator("postgres, alternating", postgresAlternating, alternatingHarness);
