import { isFrom } from "../api-version.ts";
import { isObject, seconds } from "../attributes.ts";
import { readArray, readObject } from "../body.ts";
import type { Body } from "../body.ts";
import { durationMs } from "./durations.ts";
import { keyKind } from "./keys.ts";
import { idOf, readLive, refuseManaged } from "../kind.ts";
import type { Fields } from "../kind.ts";
import type { Call, Key, LifetimeAction, Operation, Reply, RotationPolicy } from "../model.ts";
import { badParameter } from "../refusal.ts";

// The rotation policy of a key: https://learn.microsoft.com/azure/key-vault/keys/how-to-configure-key-rotation.

const day = 86_400_000;
const leastExpiry = 28 * day;
const leastTrigger = 7 * day;
const mostExpiry = 36_500 * day;
/** What every policy has that does not say otherwise. It may stand beside any expiry, or none. */
const usualNotice: LifetimeAction = { type: "Notify", timeBeforeExpiry: "P30D" };

/** How long before its expiry a key's newest version is to be told of, in milliseconds. */
export function noticeMs({ rotationPolicy }: Key): number {
  const notify = rotationPolicy?.lifetimeActions.find(({ type }) => type === "Notify") ?? usualNotice;
  return durationMs(notify.timeBeforeExpiry ?? "") ?? 30 * day;
}

function get(call: Call): Reply {
  const [key] = readLive(keyKind, call);
  return { status: 200, body: key.rotationPolicy ? policyBundle(call, key, key.rotationPolicy) : noPolicy(call) };
}

/** Until 7.3 there was nothing where no policy is set; since then the usual notice is shown, without an id. */
function noPolicy({ apiVersion }: Call): Fields {
  if (!isFrom(apiVersion, "7.4")) return { lifetimeActions: null, attributes: null };
  return { lifetimeActions: [actionBundle(usualNotice)], attributes: {} };
}

function put(call: Call): Reply {
  const { vault, now } = call;
  const given = readPolicy(call.body());
  const [key] = readLive(keyKind, call);
  refuseManaged(keyKind, key, "setrotationpolicy");
  const policy: RotationPolicy = { ...given, created: key.rotationPolicy?.created ?? now, updated: now };
  vault.keys.write({ ...key, rotationPolicy: policy }, []);
  return { status: 200, body: policyBundle(call, key, policy) };
}

function policyBundle({ vault }: Call, { name }: Key, policy: RotationPolicy): Fields {
  const { lifetimeActions, expiryTime, created, updated } = policy;
  return {
    id: `${idOf(keyKind, vault, name)}/rotationpolicy`,
    lifetimeActions: lifetimeActions.map(actionBundle),
    attributes: { expiryTime, created: seconds(created), updated: seconds(updated) },
  };
}

const actionBundle = ({ type, ...trigger }: LifetimeAction): Fields => ({ trigger, action: { type } });

function readPolicy(body: Body): Pick<RotationPolicy, "lifetimeActions" | "expiryTime"> {
  const expiryTime = readDuration(readObject(body, "attributes") ?? {}, "expiryTime");
  const expiry = expiryTime === undefined ? undefined : durationMs(expiryTime)!;
  if (expiry !== undefined && (expiry < leastExpiry || expiry > mostExpiry)) {
    throw invalid("expiryTime must be at least 28 days and at most 36500 days");
  }
  const given = (readArray(body, "lifetimeActions") ?? []).map((one) => readAction(one, expiry));
  for (const type of ["Rotate", "Notify"]) {
    if (given.filter((one) => one.type === type).length > 1) throw invalid(`there is more than one ${type} action`);
  }
  const lifetimeActions = given.some(({ type }) => type === "Notify") ? given : [...given, usualNotice];
  return { lifetimeActions, ...(expiryTime === undefined ? {} : { expiryTime }) };
}

function readAction(given: unknown, expiry: number | undefined): LifetimeAction {
  if (!isObject(given)) throw invalid("a lifetime action is not an object");
  const type = readType(readObject(given, "action")?.["type"]);
  const trigger = readObject(given, "trigger") ?? {};
  const timeAfterCreate = readDuration(trigger, "timeAfterCreate");
  const timeBeforeExpiry = readDuration(trigger, "timeBeforeExpiry");
  if ((timeAfterCreate === undefined) === (timeBeforeExpiry === undefined)) {
    throw invalid("a trigger must have either timeAfterCreate or timeBeforeExpiry");
  }
  if (type === "Notify" && timeBeforeExpiry === undefined) throw invalid("a Notify action must have timeBeforeExpiry");
  const action =
    timeAfterCreate === undefined ? { type, timeBeforeExpiry: timeBeforeExpiry! } : { type, timeAfterCreate };
  if (type === "Rotate" || timeBeforeExpiry !== usualNotice.timeBeforeExpiry) checkTrigger(action, expiry);
  return action;
}

/** A rotation keeps 7 days from both ends of a version's life, a notice from its end. */
function checkTrigger({ type, timeAfterCreate, timeBeforeExpiry }: LifetimeAction, expiry: number | undefined): void {
  const name = timeAfterCreate === undefined ? "timeBeforeExpiry" : "timeAfterCreate";
  const trigger = durationMs(timeAfterCreate ?? timeBeforeExpiry ?? "")!;
  if (trigger < leastTrigger) throw invalid(`${name} must be at least 7 days`);
  if (expiry === undefined) {
    if (timeBeforeExpiry !== undefined) throw invalid("timeBeforeExpiry needs an expiryTime");
  } else if (type === "Rotate" ? trigger > expiry - leastTrigger : trigger >= expiry) {
    throw invalid(
      type === "Rotate"
        ? `${name} must leave at least 7 days ${name === "timeAfterCreate" ? "before the expiry" : "after the creation"}`
        : `${name} must be less than expiryTime`,
    );
  }
}

function readType(given: unknown): LifetimeAction["type"] {
  const type = typeof given === "string" ? given.toLowerCase() : "";
  if (type === "rotate") return "Rotate";
  if (type === "notify") return "Notify";
  throw invalid("the type of an action must be Rotate or Notify");
}

function readDuration(body: Body, name: string): string | undefined {
  const text = body[name] ?? undefined;
  if (text === undefined) return undefined;
  if (typeof text !== "string" || !durationMs(text)) throw invalid(`${name} is not an ISO 8601 duration`);
  return text;
}

const invalid = (why: string) => badParameter(`The key rotation policy is invalid: ${why}.`);

/** Reading and setting the policy. */
export const rotationPolicyOperations: readonly Operation[] = [
  { operation: "key.getRotationPolicy", method: "GET", path: "keys/:name/rotationpolicy", run: get },
  { operation: "key.setRotationPolicy", method: "PUT", path: "keys/:name/rotationpolicy", run: put },
];
