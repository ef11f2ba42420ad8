import { z } from "zod";
import type { AzureRole, Need } from "../../../src/azure/role.ts";
import { PinionError } from "../../../src/errors.ts";
import { call, refused } from "../dns/http.ts";
import type { Reply } from "../dns/http.ts";
import { addressesOf } from "../dns/lookup.ts";
import { dnsName, lookupFields } from "../dns/provider.ts";
import type { ChallengeRecord, ChallengeStep, Challenger } from "../dns/provider.ts";
import { parseServer } from "../dns/query.ts";
import { judge } from "../dns/visible.ts";
import { blobActions, containerAt, storageAccount } from "../storage.ts";
import { within } from "../within.ts";
import { tellOf } from "./fetch-answer.ts";

export const staticWebsiteConfig = z.strictObject({
  kind: z.literal("static-website"),
  /** The account's primary blob endpoint, `https://stcontoso.blob.core.windows.net`. */
  blobEndpoint: z.url({ protocol: /^https$/ }),
  /** The ARM id of that account: with it onboarding gives the right, and preflight asks for it. */
  storageAccount: storageAccount.optional(),
  resolvers: lookupFields.resolvers,
  /** Where the domain is served, with port; absent: at each of its addresses, port 80. */
  servers: lookupFields.servers,
});
export type StaticWebsiteConfig = z.output<typeof staticWebsiteConfig>;

type Step = ChallengeStep<StaticWebsiteConfig>;

const version = "2021-12-02";

/** At the container `$web`. */
export const websiteBlobRole: AzureRole = {
  key: "website-blob",
  description: "Writes and takes away the answers to a CA's challenges in a container.",
  dataActions: blobActions("read", "write", "delete"),
};

export const staticWebsiteNeeds = ({ blobEndpoint, ...at }: StaticWebsiteConfig): readonly Need[] => [
  { role: websiteBlobRole, at: containerAt(`${blobEndpoint.replace(/\/$/, "")}/$web`, at.storageAccount) },
];

/**
 * http-01 answers (RFC 8555 section 8.3) as blobs of a storage account's static website, written as the app's identity. Every token has a
 * blob of its own, so writers never meet.
 */
export const staticWebsite: Challenger<StaticWebsiteConfig> = {
  kind: "static-website",
  config: staticWebsiteConfig,
  async publish(at, record) {
    const reply = await blob(at, record, "PUT", {
      headers: {
        "x-ms-blob-type": "BlockBlob",
        "x-ms-blob-content-type": "application/octet-stream",
        "x-ms-blob-cache-control": "no-store",
      },
      body: record.value,
    });
    if (!reply.ok) throw fault(at, reply);
  },
  withdraw: async (at, record) => await withdraw(at, record, 3),
  async visible({ config, signal }, record) {
    const { domain, token } = parts(record);
    const hosts = config.servers?.map(parseServer) ?? (await addressesOf(domain, config, signal)).map(at80);
    const path = `/.well-known/acme-challenge/${token}`;
    const told = await Promise.all(
      hosts.map(async (server) => ({ server, told: await tellOf(server, domain, path, record.value, signal) })),
    );
    return judge([{ name: domain, told }]);
  },
};

/** What is not our answer is not ours to take away, so it is deleted only as it was read; where it changed in between, read again. */
async function withdraw(at: Step, record: ChallengeRecord, tries: number): Promise<void> {
  const found = await blob(at, record, "GET");
  if (found.status === 404 || (found.ok && found.text !== record.value)) return;
  if (!found.ok) throw fault(at, found);
  const reply = await blob(at, record, "DELETE", { headers: { "if-match": found.headers.get("etag") ?? "*" } });
  if (reply.ok || reply.status === 404) return;
  if (reply.status !== 412 || tries <= 1) throw fault(at, reply);
  await withdraw(at, record, tries - 1);
}

const at80 = (host: string) => ({ host, port: 80 });

async function blob(
  { config, ports, signal }: Step,
  record: ChallengeRecord,
  method: "GET" | "PUT" | "DELETE",
  { headers = {}, body }: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
): Promise<Reply> {
  const { token } = parts(record);
  const bearer = await within(signal, ports.token("https://storage.azure.com/.default"));
  return await call({
    who: "The storage account",
    method,
    url: `${config.blobEndpoint.replace(/\/$/, "")}/$web/.well-known/acme-challenge/${token}`,
    headers: { authorization: `Bearer ${bearer}`, "x-ms-version": version, ...headers },
    ...(body === undefined ? {} : { body }),
    signal,
  });
}

/** A token is base64url (RFC 8555 section 8.3); anything else could be a path to somewhere else. */
function parts({ name }: ChallengeRecord): { readonly domain: string; readonly token: string } {
  const [domain = "", token = "", ...more] = name.split("/");
  if (dnsName.safeParse(domain).success && /^[\w-]+$/.test(token) && more.length === 0) return { domain, token };
  throw new PinionError("TARGET_REFUSED", `${name} is no domain and token of an http-01 challenge.`);
}

function fault({ config, ports }: Step, reply: Reply): PinionError {
  const who = "The storage account";
  switch (reply.status) {
    case 403:
      return new PinionError(
        "TARGET_FORBIDDEN",
        `${config.blobEndpoint} refused the app's identity (403): give it Storage Blob Data Contributor on the container $web, and let its network in.`,
        { class: "propagation" },
      );
    case 404:
      return new PinionError(
        "TARGET_MISCONFIGURED",
        `${config.blobEndpoint} has no container $web (404): turn the static website on.`,
      );
    case 412:
      return new PinionError("CONFLICT", "Somebody else wrote the same answer at the same moment; it is tried again.", {
        class: "transient",
      });
    default:
      return refused(reply, { who, advice: "check the blob endpoint", now: ports.now() });
  }
}
