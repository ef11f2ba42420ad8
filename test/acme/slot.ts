import { X509Certificate, generateKeyPairSync, randomBytes } from "node:crypto";
import { createRequest } from "../../local/vault/certificates/x509.ts";
import { subjectOf } from "../../src/policy-certificate.ts";
import type { CertificateSlot, CertificateWish, VaultCertificate } from "../../src/rotator.ts";
import type { Life } from "./life.ts";

/** A slot in memory, with what a test asks of it afterwards. */
export interface MemorySlot extends CertificateSlot {
  /** What was merged, once it was. */
  whole(): VaultCertificate | undefined;
  /** Pending operations that were begun. */
  begun(): number;
  /** Chains (DER) that were merged, leaf first. */
  readonly merged: (readonly Uint8Array[])[];
  /** Ends the pending operation, as somebody else might. */
  cancel(): void;
}

export interface SlotOptions {
  readonly key?: CertificateWish["key"];
  readonly source?: VaultCertificate | undefined;
}

/** The vault's place for one certificate. Like Key Vault, it takes no leaf for another key than the pending one. */
export function createSlot(
  life: Life,
  names: readonly string[],
  { key = { type: "EC", curve: "P-256" }, source }: SlotOptions = {},
): MemorySlot {
  let pending: { readonly csr: Uint8Array; readonly requestId: string; readonly spki: string } | undefined;
  let begun = 0;
  const merged: (readonly Uint8Array[])[] = [];
  const wanted: CertificateWish = {
    subject: subjectOf({ names: [...names] }),
    names,
    rotateBefore: 30 * 86_400_000,
    validity: 90 * 86_400_000,
    key,
    exportable: false,
    usages: ["1.3.6.1.5.5.7.3.1"],
    roots: "system",
    revocation: "ignore",
  };
  const whole = (): VaultCertificate | undefined => {
    const leaf = merged[0]?.[0];
    if (!leaf) return undefined;
    const url = `https://kv.vault.azure.net/certificates/web/${pending!.requestId}`;
    return {
      url,
      version: pending!.requestId,
      keyUrl: url.replace("/certificates/", "/keys/"),
      leaf,
      enabled: true,
      tags: {},
    };
  };
  return {
    wanted,
    source: async () => await life.outside("slot.source", () => source),
    merged,
    whole,
    begun: () => begun,
    chain: async () => merged[0]?.slice(1) ?? [],
    cancel() {
      pending = undefined;
    },
    made: async () => await life.outside("slot.made", whole),
    pending: async () =>
      await life.outside("slot.pending", () => {
        if (!pending) {
          begun++;
          pending = makeRequest(names, key);
        }
        return pending;
      }),
    merge: async (chain) =>
      await life.outside("slot.merge", () => {
        const spki = new X509Certificate(chain[0]!).publicKey.export({ type: "spki", format: "der" }).toString("hex");
        if (spki !== pending?.spki) throw new Error("The leaf is for another key than the pending one.");
        // Once it is merged, another leaf changes nothing any more.
        if (merged.length === 0) merged.push(chain);
        return whole()!;
      }),
  };
}

function makeRequest(names: readonly string[], key: CertificateWish["key"]) {
  const pair =
    key.type === "EC"
      ? generateKeyPairSync("ec", { namedCurve: key.curve })
      : generateKeyPairSync("rsa", { modulusLength: key.size });
  const csr = createRequest(
    {
      subject: subjectOf({ names: [...names] }) || undefined,
      sans: { dns_names: [...names] },
      ekus: ["1.3.6.1.5.5.7.3.1"],
      key_usage: ["digitalSignature"],
      validity_months: 3,
      basic_constraints: { ca: false },
    },
    pair.privateKey,
  );
  const spki = pair.publicKey.export({ type: "spki", format: "der" }).toString("hex");
  return { csr, requestId: randomBytes(16).toString("hex"), spki };
}
