import { PinionError } from "../../src/errors.ts";
import type { Step } from "../../src/rotator.ts";

/** What a rotation last did to a target that is one document: it stands beside the document, and changes with it. */
export type Did = "set" | "revoked";

/** As it stands beside the document. */
export const markOf = ({ rotationId }: Pick<Step<unknown>, "rotationId">, did: Did): string => `${rotationId} ${did}`;

/**
 * Refuses a late copy with `LEASE_LOST`: a later rotation has been at work (rotation ids sort by time), or this one has already taken
 * something away, after which it adds nothing.
 */
export function demandInTime(
  mark: string | undefined,
  { rotationId }: Pick<Step<unknown>, "rotationId">,
  doing: Did,
): void {
  const [other = "", did] = (mark ?? "").split(" ");
  if (other <= rotationId && !(other === rotationId && did === "revoked" && doing === "set")) return;
  throw new PinionError(
    "LEASE_LOST",
    other === rotationId
      ? `${rotationId} has taken away what this late step would add; nothing was changed.`
      : `Rotation ${other} has been at work since; ${rotationId} leaves its target alone.`,
  );
}
