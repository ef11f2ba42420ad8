import { isFrom } from "../api-version.ts";
import type { Call } from "../model.ts";
import { boolean } from "./fields.ts";

/** `preserveCertOrder`, which versions of the protocol before 7.6 do not know: whether the chain keeps its order. */
export function readKeepOrder({ apiVersion }: Call, body: Readonly<Record<string, unknown>>): boolean {
  return isFrom(apiVersion, "7.6") && (boolean(body, "preserveCertOrder", "preserveCertOrder") ?? false);
}
