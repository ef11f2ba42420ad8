import { type Deps, findSubject, vaultNameOf } from "../activities/deps.ts";
import type { Engine } from "./engine.ts";
import { stagingPrefix } from "../vault/staging.ts";
import { automaticKey, requestStart } from "./request.ts";
import { readVaultEvent, type VaultEvent } from "./vault-event.ts";

/** Near expiry, and expired: what the sweep or an earlier event missed. Everything else a vault says is acknowledged and ignored. */
export const acted = (["Secret", "Certificate", "Key"] as const).flatMap(
  (kind) => [`Microsoft.KeyVault.${kind}NearExpiry`, `Microsoft.KeyVault.${kind}Expired`] as const,
);

/** The filter of an event subscription: what the handler acts on. Objects that candidates are staged in it would ignore. */
export const eventFilter = {
  includedEventTypes: acted,
  advancedFilters: [{ operatorType: "StringNotBeginsWith", key: "data.ObjectName", values: [stagingPrefix] }],
} as const;

/** What came of an event, counted and explained in the log. */
export interface Handled {
  readonly kind: "started" | "running" | "ignored" | "refused" | "malformed" | "foreign";
  readonly why: string;
}

/**
 * The one handler of both ways in, the queue and the webhook. Whatever the event holds it is acknowledged; only a fault of the
 * storage or the engine is thrown, so that the event comes again.
 */
export async function handleEvent(deps: Deps, engine: Engine, raw: unknown): Promise<Handled> {
  const handled = await decide(deps, engine, raw);
  const level =
    handled.kind === "malformed" || handled.kind === "foreign" || handled.kind === "refused" ? "warning" : "info";
  deps.log(level, `event ${handled.kind}: ${handled.why}`, { counter: `events.${handled.kind}` as const });
  return handled;
}

async function decide(deps: Deps, engine: Engine, raw: unknown): Promise<Handled> {
  const event = readVaultEvent(raw);
  if (event === undefined) return { kind: "malformed", why: "it is not a Key Vault event in either schema" };
  if (!acted.some((type) => type.toLowerCase() === event.type.toLowerCase())) {
    return { kind: "ignored", why: `${event.type.slice(0, 80)} asks for nothing` };
  }
  const found = await findObject(deps, event);
  if ("why" in found) return found;
  const subject = await findSubject(deps, found.objectId);
  if (subject === undefined) return { kind: "refused", why: `${found.objectId} has faults in the policy` };
  const { rotateBefore } = subject.object;
  // The vault tells 30 days before the end, whatever the policy says; the sweep starts it when it is due.
  if (event.expiresAt !== undefined && event.expiresAt - rotateBefore > deps.now())
    return { kind: "ignored", why: `${subject.object.id} is not due by its policy yet; the sweep starts it then` };
  const { state } = await deps.records.read(subject.key);
  const reply = await requestStart(deps, engine, {
    subject,
    version: event.version,
    actor: { kind: "vault", id: event.resourceId, roles: [] },
    key: automaticKey(event.version, state.value),
    reason: event.type,
  });
  if ("why" in reply) return { kind: reply.kind, why: reply.why };
  // An event never finishes anything.
  const kind = reply.kind === "finishing" ? "running" : reply.kind;
  return { kind, why: `${subject.object.id}, rotation ${reply.rotationId}` };
}

/** The policy's object that an event means: its vault must be one of the policy's by ARM id *and* by name. */
async function findObject(deps: Deps, event: VaultEvent): Promise<{ objectId: string } | Handled> {
  const { policy } = await deps.policy();
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
  const vault = Object.entries(policy?.vaults ?? {}).find(
    ([, { resourceId, ...rest }]) =>
      same(resourceId, event.resourceId) && same(vaultNameOf({ resourceId, ...rest }), event.vaultName),
  );
  if (policy === undefined)
    return { kind: "refused", why: "the policy cannot be read; the sweep finds the object once it can" };
  if (vault === undefined) return { kind: "foreign", why: "its vault is not in the policy" };
  const kind = (["secret", "certificate", "key"] as const).find((one) => same(one, event.objectType));
  if (kind === undefined)
    return { kind: "ignored", why: `${event.objectType.slice(0, 40)} objects are not rotated here` };
  if (event.objectName.toLowerCase().startsWith(stagingPrefix))
    return { kind: "ignored", why: "it is a staging object of Pinion's own" };
  // The secret and the key of a certificate tell of their expiry too, as objects that the policy does not name.
  const object = policy.objects.find(
    (one) => one.vault === vault[0] && one.kind === kind && same(one.name, event.objectName),
  );
  return object === undefined
    ? { kind: "ignored", why: `${event.objectName.slice(0, 127)} is not in the policy` }
    : { objectId: object.id };
}
