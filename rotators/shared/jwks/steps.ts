import { PinionError } from "../../../src/errors.ts";
import type { Control, Credential, Observed, Proof, Step, VaultKey } from "../../../src/rotator.ts";
import { hasExpired } from "../expired.ts";
import { ask } from "../http.ts";
import { demandInTime, markOf } from "../mark.ts";
import { demandSettled, noteChange } from "../settled.ts";
import { within } from "../within.ts";
import { demandMayWrite } from "./blob.ts";
import { cachingOf } from "./caching.ts";
import type { Caching } from "./caching.ts";
import { holds, parseSet, publishedKey, withKeys, withoutKey } from "./document.ts";
import type { JwkSet } from "./document.ts";
import { keyUrlOf, kidOf, noteKids } from "./kids.ts";
import { changePublication, openPublication, publishedSet } from "./publication.ts";
import { mostCacheSeconds } from "./target.ts";
import type { JwksTarget, Publishing } from "./target.ts";
import { accepts, forged, signToken } from "./token.ts";

type S = Step<JwksTarget>;

const published = "jwks-published";
const withdrawn = "jwks-withdrawn";

/** A key of ours: as its vault shows it, and as it is published. */
async function openKey(step: S, credential: Credential) {
  const key = await within(step.signal, step.ports.keys.get(keyUrlOf(credential)));
  return { key, jwk: publishedKey(key, step.target.algorithm) };
}

/**
 * The current key is published and signs, and the app may write the set. A set that does not exist yet misleads no verifier, so the first
 * rotation publishes both keys. A key that was withdrawn proves nothing and need not: the rotation that replaces it must be able to begin.
 */
export async function observeKeys(step: S, current: Credential, { negativeControl }: Control): Promise<Observed> {
  const { key, jwk } = await openKey(step, current);
  const { blob } = step.target;
  if (blob !== undefined) await demandMayWrite(step, blob);
  const set = await publishedSet(step);
  const gone = withdrawnKids(step).includes(jwk.kid);
  if (!gone && set !== undefined && !holds(set, jwk)) {
    throw new PinionError(
      "CURRENT_LOGIN_FAILED",
      `The published set lacks the current key (kid ${jwk.kid}), or has it with another alg or use: put it there, or start with a set that does not exist.`,
    );
  }
  const proofs = gone || set === undefined ? [] : [await proveToken(step, set, key, "current")];
  if (proofs.some(({ ok }) => !ok))
    throw new PinionError("CURRENT_LOGIN_FAILED", "A token that the current key signs does not fit the published set.");
  if (negativeControl && !gone && set !== undefined && !hasExpired(step, key))
    proofs.push(await proveForged(step, set, key));
  return {
    current: { id: current.id },
    idle: { id: current.id },
    proofs: [
      gone
        ? {
            name: "the current key was withdrawn: it is asked for nothing, and never published again",
            ok: true,
            detail: jwk.kid,
          }
        : {
            name: "the current key is published",
            ok: true,
            detail: set === undefined ? "there is no set yet" : jwk.kid,
          },
      ...(blob === undefined ? [] : [{ name: "the app may write the set", ok: true }]),
      ...proofs,
    ],
    facts: { kid: jwk.kid, keysPublished: String(set?.keys.length ?? 0) },
  };
}

/**
 * Publishes the new key beside the old one, which goes on signing. A key that was withdrawn is never published again. The vault makes no
 * version by itself from now on: nobody would publish it.
 */
export async function publishKeys(step: S, next: Credential, current: Credential): Promise<Proof[]> {
  const [fresh, old] = [await openKey(step, next), await openKey(step, current)];
  const gone = withdrawnKids(step);
  if (gone.includes(fresh.jwk.kid)) {
    throw new PinionError("TARGET_REFUSED", `The key with the kid ${fresh.jwk.kid} was withdrawn: make another one.`);
  }
  const ours = [old, fresh].filter(({ jwk }) => !gone.includes(jwk.kid));
  let added = false;
  const changed = await changePublication(step, [old.key, fresh.key], fresh.key.url, ({ set = { keys: [] }, mark }) => {
    demandInTime(mark, step, "set");
    if (ours.every(({ jwk }) => holds(set, jwk))) return undefined;
    added = !holds(set, fresh.jwk);
    return {
      set: withKeys(
        set,
        ours.map(({ jwk }) => jwk),
      ),
      mark: markOf(step, "set"),
    };
  });
  await noteKids(step, [
    [keyUrlOf(current), old.jwk.kid],
    [keyUrlOf(next), fresh.jwk.kid],
  ]);
  await noteChange(step, published, fresh.jwk.kid, changed && added);
  if (step.keySlot !== undefined) await within(step.signal, step.keySlot.keepPolicy());
  return [{ name: "the new key is published beside the old one", ok: true, detail: fresh.jwk.kid }];
}

/**
 * As a verifier sees it, once no cache can hold the former set any more (`NOT_SETTLED` until then): both keys are in what is fetched from
 * the public URL, and tokens that each of them signs are accepted with it.
 */
export async function validateKeys(
  step: S,
  next: Credential,
  current: Credential,
  { negativeControl }: Control,
): Promise<readonly Proof[]> {
  const [fresh, old] = [await openKey(step, next), await openKey(step, current)];
  const name = "the new key has been published for as long as caches keep a set";
  const { cacheSeconds } = step.target;
  if (!demandSettled(step, published, fresh.jwk.kid, cacheSeconds))
    return [{ name, ok: false, detail: "it has not been published" }];
  const { set, detail, age, whole } = await fetchSet(step);
  const keptTooLong = age > cacheSeconds || whole > mostCacheSeconds;
  const kept = keptTooLong ? cacheSeconds : Math.max(cacheSeconds, whole);
  if (set !== undefined) demandSettled(step, published, fresh.jwk.kid, kept);
  const proofs: Proof[] = [
    { name, ok: true, detail: `${kept} s` },
    { name: "a verifier can fetch the set", ok: set !== undefined, detail },
  ];
  if (set === undefined) return proofs;
  proofs.push({
    name: "no cache is told to keep it for longer",
    ok: !keptTooLong,
    ...(keptTooLong && { detail: `for up to ${Math.max(age, whole)} s, where the target says ${cacheSeconds} s` }),
  });
  for (const { who, key } of [
    { who: "new", ...fresh },
    { who: "old", ...old },
  ]) {
    if (who === "old" && withdrawnKids(step).includes(old.jwk.kid)) continue;
    proofs.push(await proveToken(step, set, key, who));
  }
  if (!negativeControl || proofs.some(({ ok }) => !ok)) return proofs;
  return [...proofs, await proveForged(step, set, fresh.key)];
}

/**
 * Takes a key out of the set: that is final, since no verifier accepts its tokens once the caches' time is over. Never takes the last key
 * of all. It may have been disabled since it was published.
 */
export async function retireKey(step: S, old: Credential): Promise<Proof[]> {
  const kid = await kidOf(step, old);
  await changePublication(step, [], keyUrlOf(old), ({ set, mark }) => {
    demandInTime(mark, step, "revoked");
    const rest = withoutKey(set ?? { keys: [] }, kid);
    if (set === undefined || (rest.keys.length === set.keys.length && mark === markOf(step, "revoked")))
      return undefined;
    // After an emergency there may be none that serves; then this one serves nobody either.
    if (rest.keys.length === 0 && withdrawnKids(step).length === 0) {
      throw new PinionError("SLOT_UNCLEAR", "The set holds no other key: without this one no token would be accepted.");
    }
    return { set: rest, mark: markOf(step, "revoked") };
  });
  return [{ name: "the key is no longer published", ok: true, detail: kid }];
}

/** Whether a key is published and signs. What caches still hold does not count. */
export async function keyWorks(step: S, credential: Credential): Promise<boolean> {
  const kid = await kidOf(step, credential);
  // With what is left out while it is disabled.
  const { set } = await openPublication(step, [], "");
  if (set === undefined || !set.keys.some((one) => one["kid"] === kid)) return false;
  return (await proveToken(step, set, (await openKey(step, credential)).key, "asked")).ok;
}

/**
 * The emergency: takes a key out of the set at once, whatever it breaks, and remembers never to publish it again. It is not held back by
 * marks of other rotations: a key that must go is gone, however late the call.
 */
export async function withdrawKey(step: Publishing, kid: string): Promise<Proof[]> {
  const known = withdrawnKids(step);
  // Before the set is changed, so that no step that runs beside this one brings the key back. The oldest are forgotten: a note is short.
  if (!known.includes(kid)) await step.notes.write(withdrawn, [...known, kid].slice(-40).join(" "));
  let left = 0;
  await changePublication(step, [], "", ({ set = { keys: [] } }) => {
    const rest = withoutKey(set, kid);
    left = rest.keys.length;
    return left === set.keys.length ? undefined : { set: rest };
  });
  return [{ name: "the key was withdrawn at once", ok: true, detail: `${kid}; ${left} left in the set` }];
}

/** Whether a key was withdrawn in an emergency. */
export async function isWithdrawn(step: S, credential: Credential): Promise<boolean> {
  return withdrawnKids(step).includes(await kidOf(step, credential));
}

const withdrawnKids = ({ notes }: Publishing): string[] => notes.read(withdrawn)?.split(" ") ?? [];

/** What anybody gets, and for how long caches may keep it. */
async function fetchSet(step: S): Promise<{ set: JwkSet | undefined; detail: string } & Caching> {
  const { url, blob } = step.target;
  const from = url ?? blob!;
  const { status, text, headers } = await ask(from, { signal: step.signal });
  const set = status === 200 ? parseSet(text) : undefined;
  const detail = set === undefined ? `${from} answers ${status}, and no set` : from;
  return { set, detail, ...cachingOf(headers, step.ports.now()) };
}

async function tokenOf({ ports, target, signal }: S, key: VaultKey) {
  const { kid } = publishedKey(key, target.algorithm);
  const signing = { url: key.url, kid, algorithm: target.algorithm, now: ports.now() };
  return { kid, token: await within(signal, signToken(ports.keys, signing)) };
}

async function proveToken(step: S, set: JwkSet, key: VaultKey, who: string): Promise<Proof> {
  if (hasExpired(step, key)) {
    // Its earlier tokens are verified with the set all the same.
    const jwk = publishedKey(key, step.target.algorithm);
    return { name: `the ${who} key has expired; it is in the published set`, ok: holds(set, jwk), detail: jwk.kid };
  }
  const { kid, token } = await tokenOf(step, key);
  return { name: `a token of the ${who} key is accepted with the published set`, ok: accepts(set, token), detail: kid };
}

/** Throws WRONG_PASSWORD_ACCEPTED when a token passes that the key never signed: then no proof here proves anything. */
async function proveForged(step: S, set: JwkSet, key: VaultKey): Promise<Proof> {
  const { kid, token } = await tokenOf(step, key);
  if (!accepts(set, forged(token))) return { name: "a forged token is refused", ok: true, detail: kid };
  throw new PinionError("WRONG_PASSWORD_ACCEPTED", `A forged token is accepted under the kid ${kid}.`);
}
