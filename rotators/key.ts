import { z } from "zod";
import { defineRotator } from "../src/rotator.ts";
import { keyParts } from "./shared/keys/rotator.ts";

const target = z.strictObject({});

/** A key that others encrypt with: the vault makes its next version, and the consumers are moved to it. Old versions stay enabled. */
export const key = defineRotator({ kind: "key", target, ...keyParts<z.output<typeof target>>() });
