import type { CertificateSlot, KeySlot, Ports } from "../rotator.ts";
import { madeInObject, openSlot, type SlotPlace } from "./certificate-slot.ts";

/** Where this rotation's candidate is made, by the kind of its object; nowhere for a secret. */
export function openSlots(place: SlotPlace & { readonly ports: Ports }): {
  readonly slot?: CertificateSlot;
  readonly keySlot?: KeySlot;
} {
  const { kind } = place.subject.object;
  if (kind === "certificate") return { slot: openSlot(place) };
  return kind === "key" ? { keySlot: openKeySlot(place) } : {};
}

/**
 * A vault's rotate takes no mark and has no condition: the versions are read right before it, and a newer one is adopted, whoever asked
 * for it (the vault's own rotation policy does too).
 */
function openKeySlot({
  subject,
  rotationId,
  sourceVersion,
  ports,
  signal,
}: SlotPlace & { readonly ports: Ports }): KeySlot {
  const { object, vault, keys } = subject;
  return {
    async make() {
      const place = { subject, rotationId, sourceVersion, signal };
      const made = (await madeInObject(place)) ?? (await keys.rotate(object.name, signal));
      return await ports.keys.get(vault.url(object.name, made.version));
    },
    keepPolicy: async () => await keys.keepPolicy(object.name, object, signal),
  };
}
