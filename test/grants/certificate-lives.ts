import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { startCa } from "../acme/ca/server.ts";
import { startNameServer, txt } from "../dns/name-server.ts";
import { startAcmeDns, startCloudflare } from "../dns/services.ts";
import { byHand, byPrivateCa } from "../life/dying.ts";
import { startZoneWebhook } from "../life/dns-webhook.ts";
import { quickCertificate } from "../life/first.ts";
import { day } from "../life/world.ts";
import { account, type Bed, type Life, zone } from "./bed.ts";

// One life for each rotator of certificates, in each form of it that calls something else.

type Json = Readonly<Record<string, unknown>>;

const ec = { type: "EC", curve: "P-256" } as const;
const name = "www.contoso.com";

const selfSigned = (exportable: boolean): Life => ({
  object: {
    kind: "certificate",
    certificate: { names: [name], key: ec, exportable },
    rotator: { kind: "certificate-self-signed", strategy: "dual", target: {} },
  },
  first: async ({ world }, object) => await quickCertificate(world, object, exportable),
});

function privateCa(): Life {
  const { object, first } = byPrivateCa({ exportable: true, key: ec });
  return {
    object: ({ world }, given) => (typeof object === "function" ? object(world, given) : object),
    first: async ({ world }, given) => await first(world, given),
  };
}

function manual(): Life {
  const { object, first, options } = byHand({ exportable: true, key: ec });
  return {
    object: ({ world }, given) => (typeof object === "function" ? object(world, given) : object),
    first: async ({ world }, given) => await first(world, given),
    meanwhile: async ({ world }, opened, status) => void (await options?.(world, opened, "").meanwhile?.(status)),
  };
}

/** An issuer that is registered with the vault: Pinion has the vault ask it, or waits until the vault does so by itself. */
function integratedIssuer(start: "pinion" | "vault", exportable = true): Life {
  let root = "";
  return {
    object: () => ({
      kind: "certificate",
      certificate: {
        names: [name],
        key: ec,
        contentType: "application/x-pem-file",
        roots: [root],
        revocation: "ignore",
      },
      rotator: {
        kind: "certificate-integrated-issuer",
        strategy: "dual",
        target: { issuer: "corp", intermediates: [root], start },
      },
      ...(start === "vault" ? { issueWithin: "P20D" } : {}),
    }),
    async first({ certificates, secrets, clock }, object) {
      await certificates.createIssuer("corp", "DigiCert", { accountId: "1", password: "not-kept" });
      const poller = await certificates.beginCreateCertificate(
        object,
        {
          issuerName: "corp",
          subject: `CN=${name}`,
          subjectAlternativeNames: { dnsNames: [name] },
          keyType: "EC",
          keyCurveName: "P-256",
          exportable,
          contentType: "application/x-pem-file",
          validityInMonths: 3,
          lifetimeActions: [
            start === "pinion"
              ? { action: "EmailContacts", lifetimePercentage: 80 }
              : { action: "AutoRenew", lifetimePercentage: 10 },
          ],
        },
        { intervalInMs: 10 },
      );
      clock.advance(20_000);
      const { properties } = await poller.pollUntilDone();
      clock.advance(60_000);
      const { value = "" } = await secrets.getSecret(object);
      [, root = ""] = value.match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? [];
      return properties.version ?? "";
    },
    async meanwhile({ clock }, _object, { fault }) {
      if (start === "pinion" || fault?.code !== "ISSUANCE_PENDING") return;
      clock.advance(2 * day);
      // The vault looks at its clock by itself, every little while.
      await pause(200);
    },
  };
}

/** Where challenge values are written, and what of it is seen from outside. */
interface Place {
  readonly challenge: Json;
  lookup(name: string): readonly string[];
  readonly http?: boolean;
}

/** A CA of ours that looks where the values are to be. */
const acme = (open: (bed: Bed) => Promise<Place>, target: Json = {}): Life => {
  let opened: { readonly place: Place; readonly directory: string; readonly root: string; readonly dns: string };
  return {
    object: ({ uri }, object) => ({
      kind: "certificate",
      certificate: { names: [name], key: ec, roots: [opened.root] },
      rotator: {
        kind: "certificate-acme",
        strategy: "dual",
        target: {
          directory: opened.directory,
          account: `${uri}/keys/${object}-account`,
          termsOfServiceAgreed: true,
          ...target,
          ...("eab" in target ? { eab: { kid: "1", key: `${uri}/secrets/eab` } } : {}),
          challenge: {
            resolvers: [opened.dns],
            ...(opened.place.http === true ? {} : { servers: [opened.dns] }),
            ...opened.place.challenge,
          },
        },
      },
    }),
    async first(bed, object) {
      const place = await open(bed);
      const ca = await startCa(place.lookup);
      ca.manners.http = place.http === true;
      const dns = await startNameServer((asked, type) => (type === "TXT" ? txt(asked, place.lookup(asked)) : []));
      bed.onClose(async () => {
        ca.close();
        await dns.stop();
      });
      opened = { place, directory: ca.directory, root: ca.root, dns: dns.address };
      await bed.keys.createKey(`${object}-account`, "EC", { curve: "P-256", keyOps: ["sign", "verify"] });
      await bed.secrets.setSecret("eab", Buffer.from("the-key-of-an-external-account").toString("base64url"));
      return await quickCertificate(bed.world, object);
    },
  };
};

const token = "the-token-of-the-provider";
/** A provider that is told its token by a secret of the vault. */
const secretOf = async ({ secrets, uri }: Bed): Promise<string> => {
  await secrets.setSecret("provider", token);
  return `${uri}/secrets/provider`;
};

const azureDns = (): Life =>
  acme(async ({ azure }) => ({
    challenge: {
      kind: "azure-dns",
      zones: [
        `/subscriptions/${zone.subscriptionId}/resourceGroups/${zone.resourceGroup}/providers/Microsoft.Network/dnsZones/${zone.name}`,
      ],
    },
    lookup: (asked) => azure.dnsZones.texts(asked) ?? [],
  }));

const staticWebsite = (): Life =>
  acme(async (bed) => {
    const path = (of: string) => `/$web/.well-known/acme-challenge/${of}`;
    const website = createServer(({ url = "" }, reply) => {
      const text = bed.blobs.text(`/$web${url}`);
      reply.writeHead(text === undefined ? 404 : 200).end(text);
    }).listen(0, "127.0.0.1");
    await once(website, "listening");
    bed.onClose(async () => website.close().closeAllConnections());
    return {
      http: true,
      challenge: {
        kind: "static-website",
        blobEndpoint: bed.blobs.url,
        storageAccount: account,
        servers: [`127.0.0.1:${(website.address() as AddressInfo).port}`],
      },
      lookup: (asked) => [bed.blobs.text(path(asked.split("/")[1] ?? "")) ?? ""],
    };
  });

const cloudflare = (): Life =>
  acme(async (bed) => {
    const service = await startCloudflare(token, ["contoso.com"]);
    bed.onClose(async () => service.stop());
    return {
      challenge: { kind: "cloudflare", apiToken: await secretOf(bed), endpoint: service.url },
      lookup: service.texts,
    };
  });

const acmeDns = (): Life =>
  acme(async (bed) => {
    const [username, subdomain] = ["c36f50e8-4632-44f0-83fe-e070fef28a10", "d420c923"];
    const fulldomain = `${subdomain}.auth.contoso.net`;
    const service = await startAcmeDns(username, token, subdomain, fulldomain);
    bed.onClose(async () => service.stop());
    return {
      challenge: {
        kind: "acme-dns",
        endpoint: service.url,
        accounts: [{ username, password: await secretOf(bed), subdomain, fulldomain }],
        delegatedTo: fulldomain,
      },
      lookup: () => service.texts(fulldomain),
    };
  });

const webhook = (target: Json = {}): Life =>
  acme(async (bed) => {
    const service = await startZoneWebhook();
    bed.onClose(service.close);
    return {
      challenge: { kind: "webhook", url: service.url, secret: await secretOf(bed) },
      lookup: service.lookup,
    };
  }, target);

export const certificateLives: readonly (readonly [rotator: string, form: string, life: () => Life])[] = [
  ["certificate-self-signed dual", "exportable", () => selfSigned(true)],
  ["certificate-self-signed dual", "not exportable", () => selfSigned(false)],
  ["certificate-integrated-issuer dual", "Pinion has the vault ask", () => integratedIssuer("pinion")],
  ["certificate-private-ca dual", "exportable", privateCa],
  ["certificate-manual dual", "exportable", manual],
  ["certificate-acme dual", "azure-dns", azureDns],
  ["certificate-acme dual", "static-website", staticWebsite],
  ["certificate-acme dual", "cloudflare", cloudflare],
  ["certificate-acme dual", "acme-dns", acmeDns],
  ["certificate-acme dual", "webhook", () => webhook()],
  ["certificate-acme dual", "an external account", () => webhook({ eab: {} })],
  // Its clock goes far ahead.
  ["certificate-integrated-issuer dual", "the vault asks by itself", () => integratedIssuer("vault")],
  ["certificate-integrated-issuer dual", "the vault asks, and keeps the key", () => integratedIssuer("vault", false)],
];
