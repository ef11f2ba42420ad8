import { z } from "zod";
import { defineRotator } from "../src/rotator.ts";
import { certificateParts, certificatePem, notYet, slotOf } from "./shared/certificates/rotator.ts";

const target = z.strictObject({
  /** The name under which the CA is registered with the vault. */
  issuer: z.string().regex(/^(?!(self|unknown)$)[A-Za-z0-9-]{1,127}$/i, {
    error: "the name of an issuer that is registered with the vault",
  }),
  /** Who asks the CA: `pinion`, or the `vault` by its own lifetime action; then its new version is waited for, and adopted. */
  start: z.enum(["pinion", "vault"]).default("pinion"),
  /** Intermediate authorities (PEM). Needed where the key stays in the vault and readers get a PFX: nothing else tells them then. */
  intermediates: z.array(certificatePem).max(8).default([]),
});

/** Certificates that Key Vault asks a CA for by itself (DigiCert, GlobalSign): Pinion starts that, or waits for it, and does the rest. */
export const certificateIntegratedIssuer = defineRotator({
  kind: "certificate-integrated-issuer",
  target,
  madeInObject: ({ start }) => start === "vault",
  ...certificateParts<z.output<typeof target>>({
    issuers: ({ target: { intermediates } }) => intermediates,
    async issue(step) {
      const slot = slotOf(step);
      const made = await slot.made();
      if (made !== undefined) return made;
      const { issuer, start } = step.target;
      if (start === "pinion") await slot.pending(issuer);
      const soon = start === "pinion" ? await slot.made() : undefined;
      if (soon !== undefined) return soon;
      throw notYet(
        start === "pinion"
          ? `The issuer ${issuer} has not answered yet: it may be asking a person on its side.`
          : `The vault has not renewed the certificate yet: its lifetime action decides when.`,
        10,
      );
    },
  }),
  accounts: () => [],
  account: () => "",
});
