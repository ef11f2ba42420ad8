import { z } from "zod";
import { defineRotator } from "../src/rotator.ts";
import { certificateParts, certificatePem, notYet, slotOf } from "./shared/certificates/rotator.ts";

const target = z.strictObject({
  /** Who brings the certificate, for the reminder: a team, a queue, a page that says how. */
  instructions: z.string().max(500).exactOptional(),
  /** Intermediate authorities (PEM). Needed where the key stays in the vault and readers get a PFX: nothing else tells them then. */
  intermediates: z.array(certificatePem).max(8).default([]),
});

/**
 * Certificates that a person fetches: the vault makes key and request, `GET /api/rotations/{id}/request` gives it out, and
 * `POST /api/rotations/{id}/certificate` (or a merge in the portal) brings the certificate. Until then the rotation waits and reminds.
 */
export const certificateManual = defineRotator({
  kind: "certificate-manual",
  target,
  waitsFor: "person",
  ...certificateParts<z.output<typeof target>>({
    issuers: ({ target: { intermediates } }) => intermediates,
    async issue(step) {
      const slot = slotOf(step);
      const made = await slot.made();
      if (made !== undefined) return made;
      await slot.pending();
      const { instructions } = step.target;
      throw notYet(
        `The request waits for its certificate: GET .../request gives it, POST .../certificate brings the answer.${instructions === undefined ? "" : ` ${instructions}`}`,
        300,
      );
    },
  }),
  accounts: () => [],
  account: () => "",
});
