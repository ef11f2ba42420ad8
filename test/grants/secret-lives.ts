import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { seedAlternating, seedInPlace } from "../../local/targets/postgres-seed.ts";
import { hmacSecret } from "../../rotators/hmac-secret.ts";
import { findSubject } from "../../src/activities/deps.ts";
import { stepBeside } from "../../src/activities/beside.ts";
import { hookKey, startVerifier } from "../hmac/server.ts";
import { firstKey, hmacBy } from "../life/first.ts";
import { freshServer } from "../rotators/postgres-harness.ts";
import { account, type Bed, type Life } from "./bed.ts";

// One life for each rotator of secrets and keys, in each form of it that calls something else.

/** The first version of a secret, some time ago; its id. */
async function firstSecret({ secrets, clock }: Bed, name: string, value: string): Promise<string> {
  const { properties } = await secrets.setSecret(name, value);
  clock.advance(60_000);
  return properties.version ?? "";
}

/** A server whose roles an administrator changes, with a password from the vault. */
function postgres(strategy: "alternating" | "in-place"): Life {
  let target: object;
  return {
    object: () => ({
      kind: "secret",
      rotator: { kind: "postgres", strategy, target },
      format: strategy === "alternating" ? { type: "json", username: "user", password: "password" } : { type: "plain" },
      ...(strategy === "in-place" ? { acceptGap: true } : {}),
    }),
    async first(bed, name) {
      const server = await freshServer();
      bed.onClose(server.stop);
      const { host, port } = server;
      const seed =
        strategy === "alternating"
          ? await seedAlternating(server, { database: "shop", owner: "owner", roles: ["a", "b"], admin: "boss" })
          : await seedInPlace(server, { database: "shop", role: "a", admin: "boss" });
      await bed.secrets.setSecret("db-admin", seed.admin.password);
      const admin = { user: seed.admin.user, secret: `${bed.uri}/secrets/db-admin` };
      const which = strategy === "alternating" ? { roles: ["a", "b"] } : { role: "a" };
      target = { host, port, database: "shop", tls: { mode: "disable" }, admin, ...which };
      const { user, password } = "role" in seed ? seed.role : seed.roles[0];
      return await firstSecret(bed, name, strategy === "in-place" ? password : JSON.stringify({ user, password }));
    },
  };
}

const key = (type: "RSA" | "EC"): Life => ({
  object: { kind: "key", rotator: { kind: "key", strategy: "dual", target: {} } },
  first: async ({ world }, name) => await firstKey(world, name, type),
});

const signing = { algorithm: "ES256", cacheSeconds: 60, longestTokenLife: "PT1H" };

/** A signing key whose set is in a blob. */
const inBlob = (): Life => ({
  object: ({ blobs }, name) => ({
    kind: "key",
    grace: "PT2H",
    rotator: {
      kind: "jwt-signing-key",
      strategy: "dual",
      target: { ...signing, blob: `${blobs.url}/public/${name}.json`, storageAccount: account },
    },
  }),
  first: async ({ world }, name) => await firstKey(world, name, "EC"),
});

/** A signing key whose set the app serves. */
function byApp(): Life {
  let url = "";
  let show: () => Promise<string | undefined> = async () => undefined;
  return {
    object: () => ({
      kind: "key",
      grace: "PT2H",
      rotator: { kind: "jwt-signing-key", strategy: "dual", target: { ...signing, url } },
    }),
    async first(bed, name) {
      const server = createServer((_, reply) => {
        void show().then((body) => reply.writeHead(body === undefined ? 404 : 200).end(body));
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      bed.onClose(async () => server.close().closeAllConnections());
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/jwks/${name}`;
      return await firstKey(bed.world, name, "EC");
    },
    opened(object) {
      show = async () => {
        const { deps } = object.app();
        const subject = (await findSubject(deps, object.id))!;
        const step = await stepBeside(deps, subject, "r-zzzzzzzzz-00000000", AbortSignal.timeout(9_000));
        return (await subject.rotator.document?.(step))?.body;
      };
    },
  };
}

const secret = () => randomBytes(32).toString("base64");

/** A verifier whose list is a secret of the vault. */
const byList = (): Life => ({
  object: ({ uri }) => hmacBy({ secret: `${uri}/secrets/accepted`, format: "json-array" }),
  async first(bed, name) {
    const value = secret();
    await bed.secrets.setSecret("accepted", JSON.stringify([value]));
    return await firstSecret(bed, name, value);
  },
});

/** A verifier that is told by calls, signed with a key of the vault. */
function byHook(): Life {
  let webhook = "";
  let reading: (reference: string, value: string) => unknown = () => undefined;
  const rotator = {
    ...hmacSecret,
    // The verifier reads in the vault what it is pointed at; here it is handed to it.
    set: async (step, next, current) => {
      if (typeof next.material === "string") reading(next.reference ?? "", next.material);
      return await hmacSecret.set(step, next, current);
    },
  } satisfies typeof hmacSecret;
  return {
    rotator,
    object: ({ uri }) => hmacBy({ webhook, key: `${uri}/secrets/hook-key` }),
    async first(bed, name) {
      const verifier = await startVerifier(bed.clock.now);
      bed.onClose(verifier.close);
      const value = secret();
      verifier.hooks.set(name, { accepted: [value], writes: 0 });
      reading = (reference, given) => verifier.vault.set(reference, given);
      webhook = `http://127.0.0.1:${verifier.port}/told/${name}`;
      await bed.secrets.setSecret("hook-key", hookKey);
      return await firstSecret(bed, name, value);
    },
  };
}

export const secretLives: readonly (readonly [rotator: string, form: string, life: () => Life])[] = [
  ["postgres alternating", "an administrator", () => postgres("alternating")],
  ["postgres in-place", "an administrator", () => postgres("in-place")],
  ["key dual", "RSA", () => key("RSA")],
  ["key dual", "EC", () => key("EC")],
  ["jwt-signing-key dual", "in a blob", inBlob],
  ["jwt-signing-key dual", "by the app", byApp],
  ["hmac-secret dual", "a list", byList],
  ["hmac-secret dual", "a webhook", byHook],
];
