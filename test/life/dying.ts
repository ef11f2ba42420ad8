import type { JsonWebKey } from "node:crypto";
import { stagingName } from "../../src/vault/staging.ts";
import { keyPair } from "../private-ca/keys.ts";
import { makeAuthority } from "../private-ca/openssl.ts";
import { storageAccount } from "./account.ts";
import { openAuthority, pemOfRequest } from "./authority.ts";
import type { Dying } from "./crash.ts";
import { quickCertificate, firstKey, names } from "./first.ts";
import { certificateRotated, holding, keyRotated } from "./promises.ts";
import type { World } from "./world.ts";

interface Wish {
  readonly exportable: boolean;
  readonly key: Readonly<Record<string, string>>;
}

/** An authority whose key is in the same vault: imported, so that OpenSSL can make its certificate. */
export function byPrivateCa({ exportable, key }: Wish): Dying {
  const { privateKey } = keyPair({ type: "EC", curve: "P-384" }, 7);
  const root = makeAuthority(keyPair({ type: "EC", curve: "P-384" }, 8).privateKey, "/CN=Root");
  const ca = makeAuthority(privateKey, "/CN=Issuing", { by: root });
  return {
    object: ({ uri }) => ({
      kind: "certificate",
      certificate: { names, key, exportable, roots: [root.pem] },
      rotator: {
        kind: "certificate-private-ca",
        strategy: "dual",
        target: {
          ca: { key: `${uri}/keys/issuing`, certificate: ca.pem, chain: [root.pem] },
          maxValidity: "P90D",
          nameConstraints: { permitted: ["contoso.com"] },
        },
      },
    }),
    async first(world, name) {
      await importOnce(world, "issuing", privateKey.export({ format: "jwk" }));
      return await quickCertificate(world, name, exportable);
    },
    faults: certificateRotated,
  };
}

async function importOnce({ keys }: World, name: string, { kty, crv, ...numbers }: JsonWebKey): Promise<void> {
  if (
    await keys.getKey(name).then(
      () => true,
      () => false,
    )
  )
    return;
  const bytes = Object.entries(numbers).flatMap(([part, text]) =>
    typeof text === "string" ? [[part, new Uint8Array(Buffer.from(text, "base64url"))] as const] : [],
  );
  await keys.importKey(name, { kty: kty as "EC", ...(crv === undefined ? {} : { crv }), ...Object.fromEntries(bytes) });
}

/** A person who answers when the request is there, by a merge in the vault. */
export function byHand({ exportable, key }: Wish): Dying {
  const authority = openAuthority();
  return {
    object: {
      kind: "certificate",
      certificate: { names, key, exportable, roots: [authority.root] },
      rotator: { kind: "certificate-manual", strategy: "dual", target: { intermediates: [authority.issuing] } },
    },
    first: async (world, name) => await quickCertificate(world, name, exportable),
    faults: certificateRotated,
    options: (world, object) => ({
      async meanwhile({ fault }) {
        if (fault?.code !== "ISSUANCE_PENDING") return false;
        const name = exportable ? stagingName(object.key) : object.id;
        const poller = await world.certificates.getCertificateOperation(name).catch(() => undefined);
        const { csr, status } = poller?.getOperationState().certificateOperation ?? {};
        if (csr === undefined || status !== "inProgress") return false;
        const chain = authority.sign(pemOfRequest(csr), names).match(/-----BEGIN[^]+?-----END CERTIFICATE-----/g) ?? [];
        const bytes = chain.map((pem) => Buffer.from(pem.replaceAll(/-----[A-Z ]+-----/g, ""), "base64"));
        await world.certificates.mergeCertificate(name, bytes);
        return false;
      },
    }),
  };
}

/** A key that a storage account is encrypted with. */
export function openHolder(): Dying {
  const accounts = new Map<string, ReturnType<typeof storageAccount>>();
  const of = (name: string) => accounts.get(name)!;
  return {
    object: (_world, name) => ({
      kind: "key",
      rotator: { kind: "key", strategy: "dual", target: {} },
      consumers: [of(name).consumer],
    }),
    arm: (_world, name) => of(name).arm,
    async first(world, name) {
      const source = await firstKey(world, name, "EC");
      accounts.set(name, storageAccount(world.uri, name, source));
      return source;
    },
    faults: async (world, object, lived, source) => [
      ...(await keyRotated(world, object, lived, source)),
      ...(await holding(async (hold) => {
        const newest = (await world.keys.getKey(object.id)).properties.version;
        hold("moves of the consumer", of(object.id).moves, [newest]);
      })),
    ],
  };
}
