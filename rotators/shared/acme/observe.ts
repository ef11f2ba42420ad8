import { createPublicKey, randomBytes, verify } from "node:crypto";
import { PinionError } from "../../../src/errors.ts";
import type { Proof } from "../../../src/rotator.ts";
import { foreseeMove } from "./account.ts";
import { withClient } from "./client.ts";
import type { Client } from "./client.ts";
import type { AccountKey } from "./key.ts";
import type { AcmeStep } from "./target.ts";
import type { Publisher } from "../challenge.ts";

/**
 * Read only; nothing is registered or ordered. The account's key signs, the CA's directory answers and fits the target (external
 * account, profile), the challenge fits the names and has a place for each, and the servers that a CA asks can be asked. Throws `TARGET_MISCONFIGURED` with
 * what to change, or what key, CA and challenger throw.
 */
export async function observeIssuance(step: AcmeStep, publisher: Publisher): Promise<Proof[]> {
  const names = step.slot?.wanted.names ?? [];
  assertChallengeFits(publisher, names);
  return await withClient(step, async (client) => {
    assertDirectoryFits(step, client);
    await assertSigns(client.key);
    if (publisher.type === "dns-01") await publisher.demandPlaces?.(names.map(challengeName));
    const moving = await foreseeMove(step, client);
    const looked = await lookAt(publisher, names);
    return [
      {
        name: "the account's key signs",
        ok: true,
        detail: `${client.key.algorithm}, thumbprint ${client.key.thumbprint}`,
      },
      { name: "the CA's directory answers and fits the target", ok: true, detail: step.target.directory },
      ...(moving === undefined
        ? []
        : [{ name: "the account can be moved to the new version of its key", ok: true, detail: moving }]),
      ...looked,
    ];
  });
}

function assertChallengeFits({ type }: Publisher, names: readonly string[]): void {
  const wildcard = names.find((name) => name.startsWith("*."));
  if (wildcard === undefined || type === "dns-01") return;
  const message = `No CA proves ${wildcard} by ${type}: set a dns-01 \`challenge\` in the target (RFC 8555 section 8.3).`;
  throw new PinionError("TARGET_MISCONFIGURED", message);
}

function assertDirectoryFits({ target }: AcmeStep, { directory: { meta } }: Client): void {
  const { host } = new URL(target.directory);
  if (meta.externalAccountRequired && !target.eab) {
    const message = `${host} registers nobody without an external account: put \`kid\` and the key's secret into \`eab\` of the target.`;
    throw new PinionError("TARGET_MISCONFIGURED", message);
  }
  const { profile } = target;
  if (profile !== undefined && !Object.hasOwn(meta.profiles ?? {}, profile)) {
    const offered = Object.keys(meta.profiles ?? {})
      .slice(0, 10)
      .join(", ");
    const message = `${host} has no profile ${profile}; it offers ${offered || "none"}. Correct \`profile\` in the target.`;
    throw new PinionError("TARGET_MISCONFIGURED", message);
  }
}

/** A key that may be read but not used shows only when it is used. */
async function assertSigns(key: AccountKey): Promise<void> {
  const nonce = randomBytes(16).toString("base64url");
  const jws = JSON.parse(await key.sign({ nonce }, "")) as { protected: string; payload: string; signature: string };
  const ok = verify(
    "sha256",
    Buffer.from(`${jws.protected}.${jws.payload}`),
    { key: createPublicKey({ key: { ...key.jwk }, format: "jwk" }), dsaEncoding: "ieee-p1363" },
    Buffer.from(jws.signature, "base64url"),
  );
  if (ok) return;
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `What ${key.url} signed does not verify: its vault gave another public key.`,
  );
}

/** Where the TXT for a name belongs; a wildcard's is that of the name below it. */
const challengeName = (name: string): string => `_acme-challenge.${name.replace(/^\*\./, "")}`;

/** A look for a value that nobody published: it is not there, but the servers were asked. */
async function lookAt(publisher: Publisher, names: readonly string[]): Promise<Proof[]> {
  const domain = names[0]?.replace(/^\*\./, "");
  if (domain === undefined) return [];
  const name = publisher.type === "dns-01" ? challengeName(domain) : `${domain}/pinion-preflight`;
  const { detail } = await publisher.visible({ name, value: "pinion-preflight" });
  return [{ name: `the servers for ${domain} can be asked`, ok: true, detail }];
}
