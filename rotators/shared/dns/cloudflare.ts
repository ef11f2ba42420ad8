import { z } from "zod";
import { PinionError } from "../../../src/errors.ts";
import { targetUrl } from "../http.ts";
import { call, refused } from "./http.ts";
import { parentOf, placeOf } from "./lookup.ts";
import { lookupFields, secretUrl } from "./provider.ts";
import type { ChallengeRecord, ChallengeStep, Challenger } from "./provider.ts";
import { withSecret } from "./secret.ts";
import { visible } from "./visible.ts";

export const cloudflareConfig = z.strictObject({
  kind: z.literal("cloudflare"),
  /** Vault secret with an API token that has Zone > DNS > Edit, and Zone > Zone > Read unless `zoneId` is given. */
  apiToken: secretUrl,
  /** Absent: found by name. */
  zoneId: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  /** Seconds. */
  ttl: z.int().min(60).max(86_400).default(60),
  endpoint: targetUrl.default("https://api.cloudflare.com/client/v4"),
  ...lookupFields,
});
export type CloudflareConfig = z.output<typeof cloudflareConfig>;

type Step = ChallengeStep<CloudflareConfig>;

const envelope = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number() })).default([]),
  result: z.unknown(),
});
const zones = z.array(z.object({ id: z.string() }));
const records = z.array(z.object({ id: z.string(), content: z.string() }));

// Codes seen in replies of the service, which documents no list of them: a record like this one exists (81057, 81058), or does not (81044);
// the token is not known, malformed or not allowed (6003, 9109, 10000, 10001).
const exists = new Set([81_057, 81_058]);
const gone = new Set([81_044]);
const tokenFaults = new Set([6003, 9109, 10_000, 10_001]);

const pageSize = 100;

/** Cloudflare, API v4. Every value is a record with an id of its own, so writers never meet. */
export const cloudflare: Challenger<CloudflareConfig> = {
  kind: "cloudflare",
  config: cloudflareConfig,
  publish: async (at, record) =>
    await withZone(at, record, async ({ ask, name, path }) => {
      if ((await idsOf(ask, path, name, record.value)).length > 0) return;
      // TXT content is one or more quoted strings (RFC 1035 section 5.1).
      const body = { type: "TXT", name, content: `"${record.value}"`, ttl: at.config.ttl, comment: "ACME challenge" };
      await ask("POST", path, { body, harmless: exists });
    }),
  withdraw: async (at, record) =>
    await withZone(at, record, async ({ ask, name, path }) => {
      for (const id of await idsOf(ask, path, name, record.value)) {
        await ask("DELETE", `${path}/${id}`, { harmless: gone });
      }
    }),
  visible,
};

interface Zone {
  readonly ask: Ask;
  readonly name: string;
  /** Of the zone's records. */
  readonly path: string;
}

async function withZone(at: Step, record: ChallengeRecord, work: (zone: Zone) => Promise<void>): Promise<void> {
  const name = await placeOf(record, at.config, at.signal);
  await withSecret(at, at.config.apiToken, async (token) => {
    const ask = asker(at, token);
    const zone = at.config.zoneId ?? (await zoneIdOf(ask, name));
    await work({ ask, name, path: `/zones/${zone}/dns_records` });
  });
}

/** The zone with the longest name that holds the name, among those that the token may see. */
async function zoneIdOf(ask: Ask, name: string): Promise<string> {
  for (let at = name; at.includes("."); at = parentOf(at)) {
    const [zone] = zones.parse(await ask("GET", `/zones?name=${at}`));
    if (zone !== undefined) return zone.id;
  }
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `The Cloudflare token sees no zone that holds ${name}: give it Zone > Zone > Read there, or name the zone's zoneId.`,
  );
}

async function idsOf(ask: Ask, path: string, name: string, value: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (let page = 1; ; page += 1) {
    const some = records.parse(await ask("GET", `${path}?type=TXT&name=${name}&per_page=${pageSize}&page=${page}`));
    found.push(...some.flatMap(({ id, content }) => (unquoted(content) === value ? [id] : [])));
    if (some.length < pageSize) return found;
  }
}

/** Records made in former years have no quotes. */
const unquoted = (content: string): string => content.replaceAll(/^"|"$|"\s+"/g, "");

type Ask = (
  method: "GET" | "POST" | "DELETE",
  path: string,
  options?: { readonly body?: unknown; readonly harmless?: ReadonlySet<number> },
) => Promise<unknown>;

function asker({ config, ports, signal }: Step, token: string): Ask {
  const who = "Cloudflare";
  return async (method, path, { body, harmless } = {}) => {
    const reply = await call({
      who,
      method,
      url: `${config.endpoint}${path}`,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
    });
    const parsed = envelope.safeParse(jsonOf(reply.text));
    if (reply.ok && parsed.success && parsed.data.success) return parsed.data.result;
    const codes = parsed.success ? parsed.data.errors.map(({ code }) => code) : [];
    if (codes.some((code) => harmless?.has(code))) return undefined;
    const advice = `look whether the token in ${config.apiToken} is valid and may edit DNS in this zone`;
    const why = codes.length === 0 ? {} : { why: `code ${codes.join(" and ")}` };
    const status = codes.some((code) => tokenFaults.has(code)) ? 403 : reply.status;
    throw refused({ status, headers: reply.headers }, { who, advice, now: ports.now(), ...why });
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
