import { randomBytes } from "node:crypto";
import { hmacSecret } from "../../rotators/hmac-secret.ts";
import { hmacTarget } from "../../rotators/shared/hmac/target.ts";
import type { HmacTarget } from "../../rotators/shared/hmac/target.ts";
import { PinionError } from "../../src/errors.ts";
import type { Credential, Ports } from "../../src/rotator.ts";
import type { Edge } from "../contract/edge.ts";
import type { Lab } from "../contract/rotator-cases.ts";
import { hookKey } from "./server.ts";
import type { VersionNow, startVerifier } from "./server.ts";

export type Verifier = Awaited<ReturnType<typeof startVerifier>>;
export const start = Date.UTC(2026, 10, 26, 12);
export const hookKeyUrl = "https://kv.example/secrets/hook-key";
const list = "https://kv.example/secrets/";

export interface LabOptions {
  readonly by?: "list" | "webhook";
  readonly form?: "github" | "standard";
  readonly others?: "refuse" | "keep";
  readonly format?: "space-separated" | "json-array";
  readonly lag?: string;
  /** Without it, only the list is asked. */
  readonly probe?: boolean;
}

let count = 0;

/** A fresh secret that the verifier accepts, everything reached through one edge. */
export function makeLab(
  verifier: Verifier,
  edge: Pick<Edge, "port"> & Partial<Edge>,
  {
    by = "list",
    form = "github",
    others = "refuse",
    format = "space-separated",
    lag = "PT0S",
    probe = true,
  }: LabOptions = {},
) {
  const name = `s${(count += 1)}`;
  const origin = `http://127.0.0.1:${edge.port}`;
  let clock = start;
  const target: HmacTarget = hmacTarget.parse({
    verifier:
      by === "list"
        ? { secret: `${list}${name}`, format, others }
        : { webhook: `${origin}/told/${name}`, key: hookKeyUrl },
    lag,
    encoding: form === "standard" ? "whsec" : "base64",
    ...(probe
      ? {
          probe:
            form === "standard"
              ? { url: `${origin}/standard/${name}`, scheme: "standard-webhooks" }
              : { url: `${origin}/github/${name}`, header: "X-Hub-Signature-256", prefix: "sha256=" },
        }
      : {}),
  });
  const material = `${form === "standard" ? "whsec_" : ""}${randomBytes(32).toString("base64")}`;
  const current: Credential = { id: `hmac:${name}`, material };
  if (by === "webhook") verifier.hooks.set(name, { accepted: [material], writes: 0 });
  else
    verifier.secrets.set(name, {
      version: "0",
      value: format === "json-array" ? JSON.stringify([material]) : material,
      tags: { owner: "payments" },
      writes: 0,
    });
  const call = async (url: string, init: RequestInit = {}): Promise<{ status: number; json: VersionNow }> => {
    const reply = await fetch(`${origin}/secrets/${url.slice(list.length)}`, init).catch((cause: unknown) => {
      throw new PinionError("TARGET_UNREACHABLE", "the vault does not answer", { class: "transient", cause });
    });
    return { status: reply.status, json: (await reply.json()) as VersionNow };
  };
  const ports = {
    now: () => clock,
    secret: async (url: string) => {
      if (url !== hookKeyUrl) throw new Error("no such secret");
      return hookKey;
    },
    newestSecret: async (url: string) => (await call(url)).json,
    writeSecret: async (url: string, expected: string, value: string, tags = {}) => {
      const { status, json } = await call(url, {
        method: "PUT",
        headers: { "if-match": expected },
        body: JSON.stringify({ value, tags }),
      });
      if (status === 412) throw new PinionError("OUT_OF_BAND_CHANGE", "another version is the newest");
      return json.version;
    },
  } as unknown as Ports;
  const state = () => JSON.stringify(by === "list" ? verifier.secrets.get(name) : verifier.hooks.get(name));
  const lab: Lab<HmacTarget> = {
    target,
    edge: edge as Edge,
    ports,
    current,
    state: async () => state(),
    changes: async () => (by === "list" ? verifier.secrets.get(name) : verifier.hooks.get(name))!.writes,
    written: async () => `${verifier.written()} `,
    use: async () => async () => {},
  };
  return {
    ...lab,
    name,
    list: () => verifier.accepted(name),
    advance: (seconds: number) => void (clock += seconds * 1000),
    /** A candidate; where the webhook would read it in the vault. */
    async candidate(): Promise<Credential> {
      const account = { id: current.id };
      const made = await hmacSecret.create({ target } as never, { current: account, idle: account });
      const reference = `https://kv.example/secrets/stage/${(count += 1)}`;
      verifier.vault.set(reference, made.material as string);
      return { ...made, reference };
    },
  };
}
