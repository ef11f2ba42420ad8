import { startCa, type StandIn } from "../acme/ca/server.ts";
import { startNameServer, txt, type NameServer } from "../dns/name-server.ts";
import type { Dying } from "./crash.ts";
import { startZoneWebhook, type ZoneWebhook } from "./dns-webhook.ts";
import { quickCertificate, names } from "./first.ts";
import { certificateRotated, holding } from "./promises.ts";
import type { World } from "./world.ts";

interface Wish {
  /** The account is an old one, and its key has got another version since: only on the way to the account something dies. */
  readonly turned?: true;
  readonly exportable: boolean;
  readonly key: Readonly<Record<string, string>>;
}

export interface Outside {
  readonly ca: StandIn;
  readonly zone: ZoneWebhook;
  readonly dns: NameServer;
  /** Whether the name server keeps the values to itself. */
  hidden: boolean;
  close(): Promise<void>;
}

/**
 * A CA of ours, which counts its orders and looks challenge values up in a zone that is written by a webhook: all that is changed outside
 * is changed by a call on which the process can die.
 */
export function byAcme({ exportable, key, turned }: Wish): Dying {
  let opened: Promise<Outside> | undefined;
  let outside: Outside | undefined;
  const before = new Map<string, { readonly orders: number; readonly accounts: number; readonly account?: string }>();
  return {
    object: (world, name) => acmeObject(world, name, outside!, { exportable, key }),
    async first(world, name) {
      outside = await (opened ??= openOutside(world));
      const { orders, accounts } = outside.ca;
      const source = await firstForAcme(world, name, exportable);
      const account = turned && (await turnAccountKey(world, name, outside.ca));
      before.set(name, { orders: orders.length, accounts: accounts.size, ...(account && { account }) });
      return source;
    },
    faults: async (world, object, lived, source) => [
      ...(await certificateRotated(world, object, lived, source)),
      ...(await holding(async (hold) => {
        const { orders, accounts, account } = before.get(object.id)!;
        hold("orders at the CA", outside!.ca.orders.length - orders, 1);
        hold("accounts at the CA that are new", outside!.ca.accounts.size - accounts, turned ? 0 : 1);
        if (account !== undefined) hold("whose order it is", outside!.ca.orders.at(-1)!.kid, account);
        hold("orders that are open", outside!.ca.orders.filter(({ status }) => status !== "valid").length, 0);
        hold("challenge values that are left", outside!.zone.left(), []);
        const notes = Object.keys(object.state().notes ?? {});
        hold(
          "notes of an order that are left",
          notes.filter((note) => /order|values/.test(note)),
          [],
        );
      })),
    ],
    // A signature changes nothing; what it is for is sent by the next call. What follows the account dies without `turned`.
    spares: ({ name }) => name.endsWith("/sign") || (turned === true && !/lease acme|newAccount|keyChange/.test(name)),
    close: async () => await outside?.close(),
  };
}

/** An object of the policy whose certificates come from there. */
export const acmeObject = ({ uri }: World, name: string, { ca, zone, dns }: Outside, certificate: Wish) => ({
  kind: "certificate" as const,
  certificate: { names, roots: [ca.root], ...certificate },
  rotator: {
    kind: "certificate-acme",
    strategy: "dual",
    target: {
      directory: ca.directory,
      account: `${uri}/keys/${accountKey(name)}`,
      termsOfServiceAgreed: true,
      challenge: {
        kind: "webhook",
        url: zone.url,
        secret: `${uri}/secrets/zone-webhook`,
        resolvers: [dns.address],
        servers: [dns.address],
      },
    },
  },
});

/** The first version and the account's key; the version's id. */
export async function firstForAcme(world: World, name: string, exportable: boolean): Promise<string> {
  await world.keys.createKey(accountKey(name), "EC", { curve: "P-256", keyOps: ["sign", "verify"] });
  return await quickCertificate(world, name, exportable);
}

/** An account for the key's first version, and another version of the key; the account's URL. */
async function turnAccountKey({ keys }: World, name: string, ca: StandIn): Promise<string> {
  const { key } = await keys.getKey(accountKey(name));
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("base64url");
  const account = ca.adopt({ kty: "EC", crv: "P-256", x: text(key?.x), y: text(key?.y) });
  await keys.rotateKey(accountKey(name));
  return account;
}

/** Each life registers an account of its own, so that all of them make the same calls. */
const accountKey = (name: string): string => `${name}-account`;

export async function openOutside({ secrets }: World): Promise<Outside> {
  await secrets.setSecret("zone-webhook", "the-key-that-signs-calls-to-the-zone");
  const zone = await startZoneWebhook();
  const ca = await startCa(zone.lookup);
  // Both ways in which a CA lets an order be found again whose reply was lost.
  ca.manners.listsOrders = true;
  ca.manners.reusesOrders = true;
  const dns = await startNameServer((name, type) =>
    type === "TXT" && !outside.hidden ? txt(name, zone.lookup(name)) : [],
  );
  const close = async () => {
    ca.close();
    await zone.close();
    await dns.stop();
  };
  const outside: Outside = { ca, zone, dns, hidden: false, close };
  return outside;
}
