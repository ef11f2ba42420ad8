import { z } from "zod";
import type { RotatorFacts } from "../src/policy-file.ts";

// A small policy that is sound, to be broken in one place by each test.

const arm = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers";
export const vaultId = (name: string): string => `${arm}/Microsoft.KeyVault/vaults/${name}`;
export const siteId = (name: string): string => `${arm}/Microsoft.Web/sites/${name}`;

const roles = z.strictObject({ host: z.string().min(1), roles: z.tuple([z.string(), z.string()]) });
const role = z.strictObject({ host: z.string().min(1), role: z.string() });

/** Two rotators of a made-up kind. Their accounts are single roles, so that targets may overlap in part. */
export const facts: RotatorFacts = {
  known: ["db (alternating)", "db (in-place)"],
  targetSchema(kind, strategy) {
    if (kind !== "db") return undefined;
    return { alternating: roles, "in-place": role, dual: undefined }[strategy];
  },
  account: (_kind, strategy, target) =>
    strategy === "alternating"
      ? roles.parse(target).roles.map((name) => `${roles.parse(target).host}/${name}`)
      : `${role.parse(target).host}/${role.parse(target).role}`,
};

type Json = Record<string, unknown>;

export const consumer = (name: string, changes: Json = {}): Json => ({
  kind: "app-service",
  id: name,
  resourceId: siteId(name),
  setting: "DB",
  reads: "pinned",
  lag: "PT5M",
  ...changes,
});

/** A sound object with an account and a consumer of its own. */
export const object = (id: string, changes: Json = {}): Json => ({
  id,
  vault: "orders",
  kind: "secret",
  name: id,
  rotator: { kind: "db", strategy: "alternating", target: { host: "h", roles: [`${id}_a`, `${id}_b`] } },
  validity: "P90D",
  format: { type: "url" },
  consumers: [consumer(`${id}-api`)],
  ...changes,
});

export const inPlace = (name: string): Json => ({
  kind: "db",
  strategy: "in-place",
  target: { host: "h", role: name },
});

export const file = (objects: unknown, changes: Json = {}): Json => ({
  version: 1,
  vaults: { orders: { uri: "https://kv-orders.vault.azure.net", resourceId: vaultId("kv-orders") } },
  objects,
  ...changes,
});
