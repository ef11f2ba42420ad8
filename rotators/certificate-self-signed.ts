import { z } from "zod";
import { defineRotator } from "../src/rotator.ts";
import { certificateParts, notYet, slotOf } from "./shared/certificates/rotator.ts";

const target = z.strictObject({});

/** Certificates that sign themselves, made by the vault: for services whose clients pin the certificate, and for tests. */
export const certificateSelfSigned = defineRotator({
  kind: "certificate-self-signed",
  target,
  ...certificateParts<z.output<typeof target>>({
    selfSigned: true,
    async issue(step) {
      const slot = slotOf(step);
      const made = await slot.made();
      if (made !== undefined) return made;
      await slot.pending("Self");
      const soon = await slot.made();
      if (soon !== undefined) return soon;
      throw notYet("The vault is making the certificate.", 2);
    },
  }),
  // Nothing outside the object's own certificate changes, and no two objects are one certificate.
  accounts: () => [],
  account: () => "",
});
