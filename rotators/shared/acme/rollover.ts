import { PinionError } from "../../../src/errors.ts";
import type { KeyVersion } from "../../../src/rotator.ts";
import { locationOf } from "./client.ts";
import type { Client } from "./client.ts";
import { problemOf, refusal } from "./errors.ts";
import { canSign, openAccountKey, versionIn } from "./key.ts";
import type { AcmeStep } from "./target.ts";

// The account's key got a new version (RFC 8555 section 7.3.5). The CA alone knows for sure which version the account belongs to, so it is
// asked; what we noted only says where to look first.

/** An account that an earlier version of the key still signs for. */
export interface Holder {
  readonly kid: string;
  /** Signs with that version. */
  readonly client: Client;
}

/** So many earlier versions are asked about, the newest first. */
const mostVersions = 20;

/** The account that the CA knows the client's key by, if there is one; makes none. Problems of the types in `none` say that there is none. */
export async function accountOf(
  step: AcmeStep,
  client: Client,
  none: readonly string[] = ["accountDoesNotExist"],
): Promise<string | undefined> {
  const found = await client.post(client.directory.newAccount, { onlyReturnExisting: true });
  const problem = problemOf(found);
  if (!problem) return locationOf(found);
  if (none.includes(problem.type)) return undefined;
  throw refusal(found, "the account", step.ports.now());
}

/**
 * `unauthorized`: the account was deactivated, and a new version of the key is how another one is made then. The others: no account of
 * this CA ever had such a key.
 */
const noneToMove = ["accountDoesNotExist", "unauthorized", "badPublicKey", "badSignatureAlgorithm"];

/**
 * Looks for the account of our key under the key's earlier versions; read only. `noted`: the version (URL) that we last knew it by. Where
 * the target names a version, no other is looked at but the noted one.
 * `TARGET_MISCONFIGURED` where a version that cannot sign may be the one: another account must not come of it.
 */
export async function findHolder(
  step: AcmeStep,
  client: Client,
  noted: string | undefined,
): Promise<Holder | undefined> {
  const { keys, now } = step.ports;
  const isNamed = versionIn(step.target.account) !== undefined;
  const others = (await keys.versions(step.target.account))
    .filter(({ url }) => url !== client.key.url && (url === noted || !isNamed))
    .sort((a, b) => Number(b.url === noted) - Number(a.url === noted));
  for (const { url } of others.filter((one) => canSign(one, now())).slice(0, mostVersions)) {
    const older = await olderClient(step, client, url);
    const kid = older && (await accountOf(step, older, noneToMove));
    if (kid !== undefined) return { kid, client: older! };
  }
  const silent = others.filter((one) => !canSign(one, now()));
  const suspects = silent[0]?.url === noted ? silent.slice(0, 1) : silent;
  if (suspects.length > 0) throw cannotSign(step, client, suspects);
  return undefined;
}

/** Undefined for a version of a kind that no account of ours ever had. */
async function olderClient(step: AcmeStep, client: Client, url: string): Promise<Client | undefined> {
  try {
    return client.signedBy(await openAccountKey(step, url));
  } catch (error) {
    if (error instanceof PinionError && error.code === "TARGET_MISCONFIGURED") return undefined;
    throw error;
  }
}

function cannotSign({ target }: AcmeStep, { key }: Client, suspects: readonly KeyVersion[]): PinionError {
  const { host } = new URL(target.directory);
  const first = suspects.slice(0, 3).map(({ version }) => version);
  const more = suspects.length > first.length ? ` or ${suspects.length - first.length} more` : "";
  return new PinionError(
    "TARGET_MISCONFIGURED",
    `The account at ${host} may belong to version ${first.join(", ")}${more} of its key, which is disabled or has expired, so it cannot be ` +
      `moved to version ${versionIn(key.url)}: enable the former version, with an expiry in the future, until the next certificate is there; ` +
      "or name another key in `account` of the target, and another account is made.",
  );
}

/**
 * Makes the client's key the account's, signed by the key that it has and by the new one. Whether the CA did it is asked again where its
 * answer does not say so: another process may have been faster. `TARGET_MISCONFIGURED` where the CA changes no keys, `TARGET_REFUSED`
 * where the new key has an account of its own.
 */
export async function changeKey(step: AcmeStep, client: Client, { kid, client: older }: Holder): Promise<void> {
  const { keyChange } = client.directory;
  if (keyChange === undefined) {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `${new URL(step.target.directory).host} lets no account change its key: name the version ${older.key.url}, which it belongs to, in \`account\` of the target.`,
    );
  }
  const { jwk } = client.key;
  const inner = await client.key.sign({ jwk, url: keyChange }, { account: kid, oldKey: older.key.jwk });
  const reply = await older.post(keyChange, JSON.parse(inner), kid);
  if (!problemOf(reply)) return;
  if ((await accountOf(step, client)) === kid) return;
  throw refusal(reply, `the account's new key ${client.key.url}`, step.ports.now());
}
