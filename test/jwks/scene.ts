import type { ContainerClient } from "@azure/storage-blob";
import { jwksTarget } from "../../rotators/shared/jwks/target.ts";
import type { JwksTarget } from "../../rotators/shared/jwks/target.ts";
import type { Credential, Ports, Step } from "../../src/rotator.ts";
import { memoryNotes } from "../ports.ts";
import { keyPair, memoryKeys } from "../private-ca/keys.ts";
import type { KeyWish } from "../private-ca/keys.ts";
import { appToken } from "./front.ts";

export const start = Date.UTC(2026, 10, 26, 12);
export const ids = { first: "r-0mi000001-aaaaaa", second: "r-0mi000002-aaaaaa" };
const p256: KeyWish = { type: "EC", curve: "P-256" };

let count = 0;

/** A signing key with two versions, and the place where they are published: a blob behind `origin`, or the notes. */
export async function makeScene({
  origin,
  container,
  key = p256,
  first = 1,
  target = {},
}: {
  origin?: string;
  container?: ContainerClient;
  key?: KeyWish;
  /** Which of the keys that the tests share is the first one here. */
  first?: number;
  target?: Readonly<Record<string, unknown>>;
} = {}) {
  let clock = start;
  const keys = memoryKeys(() => clock);
  const name = `signer-${(count += 1)}`;
  const [old, next, third] = [0, 1, 2].map((nth) => keys.add(name, keyPair(key, first + nth)));
  const blob = `${name}.json`;
  const parsed: JwksTarget = jwksTarget.parse({
    algorithm: key.type === "EC" ? `ES${key.curve.slice(2).replace("521", "512")}` : "RS256",
    ...(origin === undefined
      ? { url: `https://app.example/api/jwks/${name}` }
      : { blob: `${origin}/devstoreaccount1/${container!.containerName}/${blob}` }),
    cacheSeconds: 3600,
    longestTokenLife: "PT12H",
    ...target,
  });
  const notes = memoryNotes();
  const ports = {
    now: () => clock,
    keys: keys.port,
    token: (scope: string) =>
      scope === "https://storage.azure.com/.default" ? Promise.resolve(appToken) : Promise.reject(new Error(scope)),
  } as Ports;
  const step = (rotationId = ids.first): Step<JwksTarget> => ({
    target: parsed,
    rotationId,
    round: 1,
    ports,
    notes,
    signal: new AbortController().signal,
  });
  const credential = (url: string): Credential => ({ id: "set", material: { vaultVersion: url } });
  const client = container?.getBlockBlobClient(blob);
  return {
    step,
    notes,
    keys,
    target: parsed,
    ports,
    client,
    old: credential(old!),
    next: credential(next!),
    third: credential(third!),
    advance: (seconds: number) => void (clock += seconds * 1000),
    /** Puts a set there by hand. */
    put: async (keys: readonly unknown[], more: object = {}, metadata = {}) => {
      const text = JSON.stringify({ ...more, keys });
      await client!.upload(text, text.length, { metadata });
    },
    read: async () => JSON.parse((await client!.downloadToBuffer()).toString()) as { keys: Record<string, unknown>[] },
  };
}
