import { isFrom } from "../api-version.ts";
import { isObject } from "../attributes.ts";
import type { Json } from "../model.ts";
import { boolean, readSection } from "./fields.ts";
import type { Given } from "./fields.ts";
import type { Policy, SanKind, Sans } from "./model.ts";
import { readIssuer, readKeyProps, readLifetimeActions, readSecretProps, readX509Props } from "./policy-parts.ts";

/** SANs that versions of the protocol before 2025-06-01-preview do not know. */
const newerSans: readonly SanKind[] = ["uris", "ipAddresses"];

const knowsNewerSans = (apiVersion: string) => isFrom(apiVersion, "2025-06-01");

/** `body.policy`: undefined when it is absent; refuses what is no object. */
export function readPolicy(body: Given): Given | undefined {
  return readSection(body, "policy", "policy");
}

/** Makes a policy of what the caller gives, with defaults for the rest; refuses with 400. `now` in milliseconds. */
export function makePolicy(given: Given, apiVersion: string, now: number): Policy {
  return compose(forVersion(given, apiVersion), undefined, now);
}

/** The policy with the given members in place of the old ones; the rest stays. */
export function patchPolicy(policy: Policy, given: Given, apiVersion: string, now: number): Policy {
  return compose(forVersion(given, apiVersion), policy, now);
}

function compose(given: Given, before: Policy | undefined, now: number): Policy {
  const section = (name: string) => readSection(given, name, `policy.${name}`) ?? {};
  const enabled = boolean(section("attributes"), "enabled", "policy.attributes") ?? before?.enabled ?? true;
  const key_props = readKeyProps(section("key_props"), before?.key_props);
  const x509_props = readX509Props(section("x509_props"), before?.x509_props);
  const issuer = readIssuer(section("issuer"), before?.issuer);
  return {
    key_props,
    secret_props: readSecretProps(section("secret_props"), before?.secret_props),
    x509_props,
    lifetime_actions: readLifetimeActions(
      given["lifetime_actions"] ?? undefined,
      before?.lifetime_actions,
      issuer,
      x509_props.validity_months,
    ),
    issuer,
    enabled,
    created: before?.created ?? now,
    updated: now,
  };
}

/** What the caller gives, without what the version of the protocol does not know. */
function forVersion(given: Given, apiVersion: string): Given {
  const x509 = given["x509_props"];
  if (knowsNewerSans(apiVersion) || !isObject(x509) || !isObject(x509["sans"])) return given;
  return { ...given, x509_props: { ...x509, sans: older(x509["sans"]) } };
}

const older = <T extends object>(sans: T) =>
  Object.fromEntries(Object.entries(sans).filter(([name]) => !newerSans.includes(name as SanKind)));

/** A policy as a reply shows it under the given id. */
export function showPolicy(policy: Policy, id: string, apiVersion: string): { readonly [key: string]: Json } {
  const { enabled, created, updated, x509_props, ...parts } = policy;
  const { sans, ...x509 } = x509_props;
  const shown = sans && !knowsNewerSans(apiVersion) ? (older(sans) as Sans) : sans;
  return {
    id,
    key_props: { ...parts.key_props },
    secret_props: parts.secret_props,
    x509_props: { subject: x509.subject, sans: shown && { ...shown }, ...x509 },
    lifetime_actions: parts.lifetime_actions.map(({ trigger, action }) => ({ trigger: { ...trigger }, action })),
    issuer: { ...parts.issuer },
    attributes: { enabled, created: Math.floor(created / 1000), updated: Math.floor(updated / 1000) },
  };
}
