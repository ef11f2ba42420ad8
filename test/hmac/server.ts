import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import { once } from "node:events";
import { Webhook } from "./standard-webhooks.ts";
import { fingerprint } from "../../rotators/shared/hmac/webhook.ts";

export const hookKey = "the-key-of-the-webhook";

export interface VersionNow {
  version: string;
  value: string;
  tags: Record<string, string>;
}

/**
 * A verifier of signatures with its secrets: `/secrets/<name>` is what its vault does, `/github/<name>` and `/standard/<name>` check
 * signatures, `/told/<name>` keeps a list of its own.
 */
export async function startVerifier(now: () => number) {
  const secrets = new Map<string, VersionNow & { writes: number; held?: string }>();
  const hooks = new Map<string, { accepted: string[]; mark?: string; writes: number }>();
  /** What the verifier's webhook reads in the vault. */
  const vault = new Map<string, string>();
  const seen: string[] = [];
  let open = false;
  const faults: { status: number; headers?: Record<string, string>; body?: string }[] = [];
  const accepted = (name: string): string[] => {
    const list = secrets.get(name);
    return list === undefined
      ? (hooks.get(name)?.accepted ?? [])
      : (list.held ?? list.value).split(/[\s",[\]]+/).filter(Boolean);
  };
  type Answer = readonly [status: number, json?: unknown];

  /** What Key Vault does, but with a condition on writes, so that each test knows what was lost. */
  const inVault = (name: string, { method, headers }: IncomingMessage, body: string): Answer => {
    const found = secrets.get(name);
    if (found === undefined) return [404];
    if (method === "GET") return [200, found];
    if (headers["if-match"] !== found.version) return [412, {}];
    const { value, tags } = JSON.parse(body) as VersionNow;
    const version = createHash("md5")
      .update(`${found.version}${value}${JSON.stringify(tags)}`)
      .digest("hex");
    secrets.set(name, { ...found, value, version, tags: { ...found.tags, ...tags }, writes: found.writes + 1 });
    return [200, { version }];
  };

  const signed = (name: string, given: string, body: string): boolean =>
    accepted(name).some((secret) => {
      const [wanted, got] = [`sha256=${createHmac("sha256", secret).update(body).digest("hex")}`, given].map((text) =>
        Buffer.from(text),
      );
      return wanted!.length === got!.length && timingSafeEqual(wanted!, got!);
    });

  const told = (name: string, { headers }: IncomingMessage, body: string): Answer => {
    const hook = hooks.get(name);
    if (hook === undefined || !new Webhook(hookKey, now(), "raw").verifies(body, headers)) return [401];
    const asked = JSON.parse(body) as {
      step: string;
      mark?: string;
      rotationId: string;
      secrets: { reference?: string; fingerprint: string }[];
    };
    const last = hook.mark?.split(" ")[0] ?? "";
    if (asked.step !== "list" && last > asked.rotationId) return [409];
    const prints = () => hook.accepted.map((secret) => fingerprint(hookKey, secret));
    if (asked.step === "accept") {
      const fresh = asked.secrets.filter((one) => !prints().includes(one.fingerprint));
      const values = fresh.map(({ reference }) => vault.get(reference!));
      if (values.some((value) => value === undefined)) return [422];
      hook.accepted.push(...(values as string[]));
      if (fresh.length > 0) hook.writes += 1;
    }
    if (asked.step === "drop") {
      const gone = asked.secrets.map((one) => one.fingerprint);
      const rest = hook.accepted.filter((secret) => !gone.includes(fingerprint(hookKey, secret)));
      if (rest.length < hook.accepted.length) hook.writes += 1;
      hook.accepted = rest;
    }
    if (asked.mark !== undefined) hook.mark = asked.mark;
    return [200, { accepted: prints(), mark: hook.mark }];
  };

  const answer = (request: IncomingMessage, body: string): Answer => {
    const [, kind = "", name = ""] = request.url!.split("/");
    if (kind === "secrets") return inVault(name, request, body);
    seen.push(`${request.url} ${JSON.stringify(request.headers)} ${body}`);
    if (kind === "told") return told(name, request, body);
    if (kind === "github")
      return [open || signed(name, String(request.headers["x-hub-signature-256"]), body) ? 202 : 401];
    return [accepted(name).some((secret) => new Webhook(secret, now()).verifies(body, request.headers)) ? 200 : 403];
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const fault = request.url!.startsWith("/secrets/") ? undefined : faults.shift();
      if (fault !== undefined) {
        response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
        return;
      }
      const [status, json = {}] = answer(request, Buffer.concat(chunks).toString());
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    port,
    secrets,
    hooks,
    vault,
    faults,
    accepted,
    written: () => seen.join("\n"),
    /** A verifier that checks nothing. */
    acceptAnything: (yes: boolean) => void (open = yes),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
