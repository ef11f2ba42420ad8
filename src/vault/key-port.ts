import type { TokenCredential } from "@azure/core-auth";
import { CryptographyClient, type JsonWebKey, KeyClient, type KeyVaultKey } from "@azure/keyvault-keys";
import type { KeyPort, KeyVersion, VaultKey } from "../rotator.ts";
import { clientOptions, describe } from "./client.ts";
import { toVaultError } from "./faults.ts";
import type { Log } from "../signals.ts";

/** Milliseconds for one call; the step's own deadline is shorter than what all of them may take. */
const patience = 20_000;

/** What rotators use keys through, by full URL. The private parts stay in the vault. */
export function openKeyPort(credential: TokenCredential, log?: Log): KeyPort {
  const crypto = <T>(
    url: string,
    work: (client: CryptographyClient, signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const { origin, name } = partsOf(url);
    const signal = AbortSignal.timeout(patience);
    // Without its public part and its times the client asks the vault at once: by itself it would refuse an old key by this machine's
    // clock, where the vault still unwraps and verifies with it.
    const key: KeyVaultKey = { id: url, name, properties: { vaultUrl: origin, name } };
    return toVaultError({ uri: origin, log }, name, () =>
      work(new CryptographyClient(key, credential, clientOptions(origin)), signal),
    );
  };
  return {
    async get(url) {
      const { origin, name, version } = partsOf(url);
      const client = new KeyClient(origin, credential, clientOptions(origin));
      const abortSignal = AbortSignal.timeout(patience);
      const options = version === undefined ? { abortSignal } : { version, abortSignal };
      return describeKey(await toVaultError({ uri: origin, log }, name, () => client.getKey(name, options)));
    },
    async versions(url) {
      const { origin, name } = partsOf(url);
      const client = new KeyClient(origin, credential, clientOptions(origin));
      return await toVaultError({ uri: origin, log }, name, async () => {
        const found: KeyVersion[] = [];
        const abortSignal = AbortSignal.timeout(patience);
        for await (const item of client.listPropertiesOfKeyVersions(name, { abortSignal })) {
          const { version, enabled, createdOn, expiresOn } = describe(item);
          const expiry = expiresOn && { expiresAt: expiresOn.toISOString() };
          found.push({ url: item.id ?? "", version, enabled, createdAt: createdOn.toISOString(), ...expiry });
        }
        return found.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
      });
    },
    sign: (url, algorithm, digest) =>
      crypto(url, async (client, abortSignal) => (await client.sign(algorithm, digest, { abortSignal })).result),
    verify: (url, algorithm, digest, signature) =>
      crypto(
        url,
        async (client, abortSignal) => (await client.verify(algorithm, digest, signature, { abortSignal })).result,
      ),
    wrap: (url, key) =>
      crypto(url, async (client, abortSignal) => (await client.wrapKey("RSA-OAEP-256", key, { abortSignal })).result),
    unwrap: (url, wrapped) =>
      crypto(
        url,
        async (client, abortSignal) => (await client.unwrapKey("RSA-OAEP-256", wrapped, { abortSignal })).result,
      ),
  };
}

export function describeKey({ id = "", key, keyOperations = [], properties }: KeyVaultKey): VaultKey {
  return {
    url: id,
    version: properties.version ?? "",
    jwk: publicJwk(key ?? {}),
    operations: keyOperations,
    enabled: properties.enabled ?? true,
    tags: properties.tags ?? {},
    createdAt: (properties.createdOn ?? new Date(0)).toISOString(),
    ...(properties.expiresOn && { expiresAt: properties.expiresOn.toISOString() }),
  };
}

function publicJwk(key: JsonWebKey): VaultKey["jwk"] {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
  const kty = (key.kty ?? "").replace("-HSM", "");
  const numbers = Object.entries({ n: key.n, e: key.e, x: key.x, y: key.y });
  return {
    kty,
    ...(key.crv === undefined ? {} : { crv: key.crv }),
    ...Object.fromEntries(numbers.flatMap(([name, bytes]) => (bytes === undefined ? [] : [[name, text(bytes)]]))),
  };
}

/** The parts of `https://<vault>/<kind>s/<name>[/<version>]`. */
export function partsOf(url: string): { readonly origin: string; readonly name: string; readonly version?: string } {
  const { origin, pathname } = new URL(url);
  const [, , name = "", version] = pathname.split("/");
  return { origin, name, ...(version === undefined || version === "" ? {} : { version }) };
}
