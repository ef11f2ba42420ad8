import { randomBytes } from "node:crypto";
import { Resolver } from "node:dns/promises";
import { join } from "node:path";
import { startBind } from "../../local/targets/bind.ts";
import { startPebble } from "../../local/targets/pebble.ts";
import { ensureTls } from "../../local/tls.ts";
import { names } from "./first.ts";
import type { World } from "./world.ts";

/**
 * A real CA that registers nobody without an external account, and a real name server that takes signed updates. Every secret that goes
 * with them is in `secrets`, as the vaults hold it.
 */
export async function openPublicCa(dir: string) {
  const tsig = randomBytes(32).toString("base64");
  const eab = randomBytes(32).toString("base64url");
  const bind = await startBind({
    dir,
    keys: [{ name: "pinion", algorithm: "hmac-sha256", secret: tsig }],
    zones: [{ name: "contoso.com", records: ["@ NS ns1", "ns1 A 127.0.0.1"], updatedBy: ["pinion"] }],
  });
  const tls = await ensureTls(join(dir, "tls"), { now: () => Date.now() });
  const pebble = await startPebble({
    dir,
    tls,
    nameServer: bind.address,
    externalAccounts: { "kid-1": eab },
    env: { PEBBLE_WFE_NONCEREJECT: "0", PEBBLE_AUTHZREUSE: "0" },
  });

  return {
    root: await pebble.root(),
    intermediate: await pebble.intermediate(),
    secrets: { tsig, eab },
    /** Puts the account's key and the secrets into a vault. */
    async prepare({ keys, secrets }: World): Promise<void> {
      await keys.createKey("acme-account", "EC", { curve: "P-256", keyOps: ["sign", "verify"] });
      await secrets.setSecret("tsig", tsig);
      await secrets.setSecret("eab", eab);
    },
    rotator: ({ uri }: World) => ({
      kind: "certificate-acme",
      strategy: "dual",
      target: {
        directory: pebble.directory,
        caRoots: tls.ca,
        account: `${uri}/keys/acme-account`,
        termsOfServiceAgreed: true,
        eab: { kid: "kid-1", key: `${uri}/secrets/eab` },
        challenge: {
          kind: "rfc2136",
          server: "127.0.0.1",
          port: bind.port,
          key: { name: "pinion", secret: `${uri}/secrets/tsig` },
          resolvers: [bind.address],
          servers: [bind.address],
        },
      },
    }),
    /** Challenge values that are in the zone now. */
    async left(): Promise<readonly string[]> {
      const resolver = new Resolver();
      resolver.setServers([bind.address]);
      const found = names.map(async (one) => await resolver.resolveTxt(`_acme-challenge.${one}`).catch(() => []));
      return (await Promise.all(found)).flat(2);
    },
    async close() {
      await pebble.stop();
      await bind.stop();
    },
  };
}

export type PublicCa = Awaited<ReturnType<typeof openPublicCa>>;
