import { z } from "zod";
import type { ControlCall, ControlRoute } from "./controls.ts";
import { accessRoutes } from "./control-access.ts";
import { clockRoutes } from "./control-clock.ts";
import { faultSchema } from "./faults.ts";
import type { Reply } from "./model.ts";
import { ruleFault } from "./network.ts";
import { badParameter, errorReply } from "./refusal.ts";
import { definite, done, ok, parse } from "./control-body.ts";

const settingsSchema = z.strictObject({
  deleteDelayMs: z.number().nonnegative().optional(),
  certificateDelayMs: z.number().nonnegative().optional(),
  issuerDelayMs: z.number().nonnegative().optional(),
  issuerError: z.strictObject({ code: z.string().min(1), message: z.string() }).nullish(),
  throttling: z.boolean().optional(),
  /** As `subscribe` has it; null: no events. */
  subscribedSince: z.number().nullish(),
});

const networkSchema = z
  .strictObject({
    publicNetworkAccess: z.enum(["Enabled", "Disabled"]).default("Enabled"),
    defaultAction: z.enum(["Allow", "Deny"]).default("Allow"),
    ipRules: z.array(z.string()).default([]),
  })
  .nullable();

const objectRules = {
  expirySet: z.boolean().optional(),
  minimumValidityDays: z.number().nonnegative().optional(),
  maximumValidityDays: z.number().nonnegative().optional(),
};
const policySchema = z
  .strictObject({
    secrets: z.strictObject({ ...objectRules, contentTypeSet: z.boolean().optional() }).optional(),
    keys: z.strictObject(objectRules).optional(),
    certificates: z.strictObject(objectRules).optional(),
  })
  .nullable();

const count = z.int().nonnegative().max(10_000).optional();
const disturbanceSchema = z.strictObject({ duplicate: count, reorder: count, lose: count });

const snapshotName = /^[\w-]{1,64}$/;

/** Every control, in the order of the list. */
export const controlRoutes: readonly ControlRoute[] = [
  ...clockRoutes,
  {
    method: "GET",
    path: "faults",
    does: "The faults that wait for requests.",
    run: ({ control, vault }) =>
      ok(control.faults().filter((fault) => fault.vault === undefined || fault.vault === vault.name)),
  },
  {
    method: "POST",
    path: "faults",
    does: "Adds a fault: {operation, times | rate, kind: status | drop | reset | delay, when?, status?, retryAfter?, code?, latencyMs?, vault?}.",
    run: ({ control, vault, raw }) => ok(control.addFault({ vault: vault.name, ...parse(faultSchema, raw) }), 201),
  },
  {
    method: "DELETE",
    path: "faults",
    does: "Forgets the faults.",
    run: ({ control, vault }) => done(() => control.clearFaults(vault.name)),
  },
  {
    method: "GET",
    path: "log",
    does: "The last 10,000 requests, oldest first, without values.",
    run: ({ control, vault }) => ok(control.log(vault.name)),
  },
  {
    method: "POST",
    path: "reset",
    does: "Empties the vault: objects, faults, log, throttle, settings. Roles and the clock stay.",
    run: ({ control, vault }) => done(() => control.reset(vault.name)),
  },
  {
    method: "GET",
    path: "settings",
    does: "The settings.",
    run({ vault: { settings } }) {
      const { deleteDelayMs, certificateDelayMs, issuerDelayMs, issuerError = null, throttling } = settings;
      return ok({ deleteDelayMs, certificateDelayMs, issuerDelayMs, issuerError, throttling });
    },
  },
  {
    method: "PUT",
    path: "settings",
    does: "Changes some: {deleteDelayMs?, certificateDelayMs?, issuerDelayMs?, issuerError? ({code, message}; null: registered issuers issue), throttling?, subscribedSince? (ms since 1970, from which versions make events; null: none do)}.",
    run: putSettings,
  },
  {
    method: "GET",
    path: "network",
    does: "The network rules, or null.",
    run: ({ vault }) => ok(vault.settings.network ?? null),
  },
  {
    method: "PUT",
    path: "network",
    does: "Sets them: {publicNetworkAccess?: Enabled | Disabled, defaultAction?: Allow | Deny, ipRules?: [address or CIDR]}; null: none.",
    run: putNetwork,
  },
  {
    method: "GET",
    path: "policy",
    does: "The Azure Policy rules, or null.",
    run: ({ vault }) => ok(vault.settings.policy ?? null),
  },
  {
    method: "PUT",
    path: "policy",
    does: "Sets them: {secrets?, keys?, certificates?: {expirySet?, minimumValidityDays?, maximumValidityDays?}}, secrets also {contentTypeSet?}; null: none.",
    run: ({ control, vault, raw }) =>
      done(() => control.set({ policy: parse(policySchema, raw) ?? undefined }, vault.name)),
  },
  ...accessRoutes,
  {
    method: "POST",
    path: "events",
    does: "Disturbs the next events of all vaults: {duplicate?, reorder?, lose?}, numbers of events.",
    run: ({ control, raw }) => done(() => control.disturb(parse(disturbanceSchema, raw))),
  },
  {
    method: "GET",
    path: "snapshots",
    does: "Names of the snapshots.",
    run: ({ control }) => ok(control.snapshots.list()),
  },
  {
    method: "PUT",
    path: "snapshots/:name",
    does: "Keeps what all vaults hold, with settings and roles, under this name, sealed in the state folder.",
    run({ control, name }) {
      if (!snapshotName.test(name)) throw badParameter("A snapshot's name has 1 to 64 letters, digits, _ or -.");
      return done(() => control.snapshots.save(name));
    },
  },
  {
    method: "POST",
    path: "snapshots/:name/restore",
    does: "Makes all vaults hold what they held then.",
    run: ({ control, name }) => (control.snapshots.restore(name) ? { status: 204 } : noSnapshot(name)),
  },
  {
    method: "DELETE",
    path: "snapshots/:name",
    does: "Removes a snapshot.",
    run: ({ control, name }) => (control.snapshots.remove(name) ? { status: 204 } : noSnapshot(name)),
  },
];

function putSettings({ control, vault, raw }: ControlCall): Reply {
  const { subscribedSince, issuerError, ...settings } = parse(settingsSchema, raw);
  control.set(definite(settings), vault.name);
  if (issuerError !== undefined) control.set({ issuerError: issuerError ?? undefined }, vault.name);
  if (subscribedSince !== undefined) control.subscribe(subscribedSince ?? undefined, vault.name);
  return { status: 204 };
}

function putNetwork({ control, vault, raw }: ControlCall): Reply {
  const network = parse(networkSchema, raw) ?? undefined;
  for (const rule of network?.ipRules ?? []) {
    const fault = ruleFault(rule);
    if (fault !== undefined) throw badParameter(fault);
  }
  return done(() => control.set({ network }, vault.name));
}

const noSnapshot = (name: string): Reply => errorReply(404, "NotFound", `There is no snapshot ${name}.`);
