import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { startBind } from "../../local/targets/bind.ts";
import { acmeDns, acmeDnsConfig } from "../../rotators/shared/dns/acme-dns.ts";
import { azureDns, azureDnsConfig } from "../../rotators/shared/dns/azure-dns.ts";
import { cloudflare, cloudflareConfig } from "../../rotators/shared/dns/cloudflare.ts";
import type { ChallengeRecord } from "../../rotators/shared/dns/provider.ts";
import { ask, parseServer } from "../../rotators/shared/dns/query.ts";
import { rfc2136, rfc2136Config } from "../../rotators/shared/dns/rfc2136.ts";
import { webhook, webhookConfig } from "../../rotators/shared/dns/webhook.ts";
import { openArm } from "../../src/azure/arm.ts";
import { call, credentialOf, openCloud } from "../azure/cloud.ts";
import { bindIsMissing, needsBind } from "./bind.ts";
import { challengerContract } from "./contract.ts";
import { startNameServer, startSilent, txt } from "./name-server.ts";
import { startAcmeDns, startCloudflare, startWebhook } from "./services.ts";
import type { Service } from "./services.ts";
import { stepOf } from "./step.ts";

// Every DNS provider keeps the contract of rotators/shared/dns/provider.ts.

const url = "https://kv-contoso.vault.azure.net/secrets/dns";
const zone = "contoso.com";
const record = (place: number, value: string): ChallengeRecord => ({
  name: `_acme-challenge.n${place}.${zone}`,
  value,
});

/** The texts that a name server has now. */
async function asked(address: string, name: string): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(10_000);
  const { answers } = await ask(parseServer(address), { name, type: "TXT" }, { recurse: false, signal });
  return answers.flatMap((one) => (one.type === "TXT" ? [[one.data].flat().join("")] : []));
}

/** A provider that is a service over HTTP, with a name server that shows what the service holds. */
async function serviceOf<S extends Service>(starting: Promise<S>) {
  const [service, silent] = await Promise.all([starting, startSilent()]);
  const names = await startNameServer((name, type) => (type === "TXT" ? txt(name, service.texts(name)) : []));
  return {
    service,
    lookup: { resolvers: [names.address], servers: [names.address] },
    silent: `http://127.0.0.1:${silent.port}`,
    parts: {
      record,
      values: async ({ name }: ChallengeRecord) => service.texts(name),
      foreign: async ({ name, value }: ChallengeRecord) => service.add(name, value),
      stop: async () => {
        service.stop();
        silent.stop();
        await names.stop();
      },
    },
  };
}

challengerContract("Cloudflare", false, async () => {
  const [token, wrongSecret] = ["token-that-is-right", "token-that-is-wrong"];
  const { service, lookup, silent, parts } = await serviceOf(
    startCloudflare(token, ["com.example", zone, `sub.${zone}`]),
  );
  return {
    ...parts,
    challenger: cloudflare,
    wrongSecret,
    keeps: "values",
    step: (how, signal) => {
      const endpoint = how === "silent" ? silent : service.url;
      const config = cloudflareConfig.parse({ kind: "cloudflare", apiToken: url, endpoint, ...lookup });
      return stepOf(config, { secrets: { [url]: how === "refused" ? wrongSecret : token } }, signal);
    },
  };
});

challengerContract("acme-dns", false, async () => {
  const [key, wrongSecret] = ["key-that-is-right", "key-that-is-wrong"];
  const username = "c36f50e8-4632-44f0-83fe-e070fef28a10";
  const fulldomain = "d420c923.auth.contoso.net";
  const { service, lookup, silent, parts } = await serviceOf(startAcmeDns(username, key, "d420c923", fulldomain));
  return {
    ...parts,
    // One account: every challenge is in the same place.
    record: (_: number, value: string) => ({ name: fulldomain, value }),
    challenger: acmeDns,
    wrongSecret,
    keeps: "last two",
    step: (how, signal) => {
      const endpoint = how === "silent" ? silent : service.url;
      const accounts = [{ username, password: url, subdomain: "d420c923", fulldomain }];
      const config = acmeDnsConfig.parse({ kind: "acme-dns", endpoint, accounts, ...lookup });
      return stepOf(config, { secrets: { [url]: how === "refused" ? wrongSecret : key } }, signal);
    },
  };
});

challengerContract("webhook", false, async () => {
  const [secret, wrongSecret] = [randomBytes(32), randomBytes(32)].map((key) => `whsec_${key.toString("base64")}`);
  const { service, lookup, silent, parts } = await serviceOf(startWebhook(secret!));
  return {
    ...parts,
    challenger: webhook,
    wrongSecret: wrongSecret!,
    keeps: "values",
    step: (how, signal) => {
      const config = webhookConfig.parse({
        kind: "webhook",
        url: how === "silent" ? silent : service.url,
        secret: url,
        ...lookup,
      });
      return stepOf(config, { secrets: { [url]: how === "refused" ? wrongSecret! : secret! } }, signal);
    },
  };
});

challengerContract("Azure DNS", false, async () => {
  const cloud = await openCloud();
  setDefaultCACertificates([...getCACertificates("default"), cloud.tls.ca]);
  const declaration = { subscriptionId: "22222222-2222-4222-8222-222222222222", resourceGroup: "rg-dns" };
  const azure = await cloud.start({ dnsZones: [zone, "com"].map((name) => ({ ...declaration, name })) });
  const silent = await startSilent();
  const names = await startNameServer((name, type) =>
    type === "TXT" ? txt(name, azure.dnsZones.texts(name) ?? []) : [],
  );
  const arm = openArm(azure.url, "https://management.azure.com", credentialOf(azure));
  const stranger = { getToken: async () => ({ token: "wrong-token", expiresOnTimestamp: Date.now() + 3_600_000 }) };
  const zones = ["com", zone].map(
    (name) =>
      `/subscriptions/${declaration.subscriptionId}/resourceGroups/rg-dns/providers/Microsoft.Network/dnsZones/${name}`,
  );
  const config = azureDnsConfig.parse({
    kind: "azure-dns",
    zones,
    resolvers: [names.address],
    servers: [names.address],
  });
  const arms = {
    "as it should be": arm,
    refused: openArm(azure.url, "https://management.azure.com", stranger),
    silent: openArm(`http://127.0.0.1:${silent.port}`, "https://management.azure.com", credentialOf(azure)),
  };
  return {
    challenger: azureDns,
    wrongSecret: "wrong-token",
    keeps: "values",
    record,
    values: async ({ name }) => azure.dnsZones.texts(name) ?? [],
    async foreign({ name, value }) {
      const { token } = await azure.tokens.issue({
        audience: "https://management.azure.com",
        objectId: "o",
        appId: "a",
      });
      const path = `${zones[1]}/TXT/${name.slice(0, -zone.length - 1)}?api-version=2018-05-01`;
      const body = { properties: { TTL: 300, TXTRecords: [{ value: [value] }], metadata: { owner: "somebody" } } };
      await call(azure, cloud.tls.ca, "PUT", path, { token, body });
    },
    step: (how, signal) => stepOf(config, { arm: arms[how] }, signal),
    stop: async () => {
      silent.stop();
      await names.stop();
      await cloud.close();
    },
  };
});

challengerContract(`RFC 2136${needsBind}`, bindIsMissing, async () => {
  const dir = mkdtempSync(join(tmpdir(), "pinion-bind-"));
  const [secret, wrongSecret, other] = [1, 2, 3].map(() => randomBytes(32).toString("base64"));
  const keys = [
    { name: "pinion", algorithm: "hmac-sha256", secret: secret! },
    { name: "other", algorithm: "hmac-sha256", secret: other! },
  ];
  const bind = await startBind({
    dir,
    keys,
    zones: [{ name: zone, updatedBy: ["pinion", "other"], records: ["@ NS ns1", "ns1 A 127.0.0.1"] }],
  });
  const silent = await startSilent();
  const config = (port: number, name: string) =>
    rfc2136Config.parse({
      kind: "rfc2136",
      server: bind.host,
      port,
      key: { name, secret: url },
      resolvers: [bind.address],
      servers: [bind.address],
    });
  return {
    challenger: rfc2136,
    wrongSecret: wrongSecret!,
    keeps: "values",
    record,
    values: async ({ name }) => await asked(bind.address, name),
    foreign: async (place) =>
      await rfc2136.publish(stepOf(config(bind.port, "other"), { secrets: { [url]: other! } }), place),
    step: (how, signal) =>
      stepOf(
        config(how === "silent" ? silent.port : bind.port, "pinion"),
        { secrets: { [url]: how === "refused" ? wrongSecret! : secret! } },
        signal,
      ),
    stop: async () => {
      silent.stop();
      await bind.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
});
