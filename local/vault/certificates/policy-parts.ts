import { isIP } from "node:net";
import { isObject } from "../attributes.ts";
import { boolean, integer, invalid, text, texts } from "./fields.ts";
import type { Given } from "./fields.ts";
import { maxMonths } from "./limits.ts";
import { pemType, pkcs12Type } from "./model.ts";
import type { Curve, IssuerParameters, KeyProps, LifetimeAction, Policy, SanKind, Sans, X509Props } from "./model.ts";
import { isAscii, isOid, parseSubject } from "./subject.ts";

// The sections of a policy: read, checked, and filled up with what stood there before or with the service's defaults.

const rsaSizes = [2048, 3072, 4096];
/** Bits of each curve. */
const curves: Readonly<Record<Curve, number>> = { "P-256": 256, "P-384": 384, "P-521": 521, "P-256K": 256 };
/** In the order of their bits in X.509. */
export const keyUsages = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;
const serverAuth = "1.3.6.1.5.5.7.3.1";
const clientAuth = "1.3.6.1.5.5.7.3.2";
const daysInMonth = 27;

/** Makes no key of another kind out of half a description: a curve means EC, else RSA. */
export function readKeyProps(given: Given, before?: KeyProps): KeyProps {
  const path = "policy.key_props";
  const exportable = boolean(given, "exportable", path) ?? before?.exportable ?? true;
  const reuse_key = boolean(given, "reuse_key", path) ?? before?.reuse_key ?? false;
  const size = integer(given, "key_size", path);
  const curve = text(given, "crv", path);
  const kty = text(given, "kty", path) ?? (curve === undefined ? before?.kty : "EC") ?? "RSA";
  if (kty === "RSA") {
    const key_size = size ?? (before?.kty === "RSA" ? before.key_size : 2048);
    if (curve !== undefined || !rsaSizes.includes(key_size))
      throw invalid(path, "RSA keys have 2048, 3072 or 4096 bits.");
    return { exportable, kty, key_size, reuse_key };
  }
  if (kty !== "EC") throw invalid(path, `Keys of type ${kty} are not supported in this vault.`);
  const crv = curve ?? before?.crv ?? Object.keys(curves).find((name) => curves[name as Curve] === size) ?? "P-256";
  if (!isCurve(crv) || (size !== undefined && size !== curves[crv])) {
    throw invalid(path, "EC keys have the curve P-256, P-384, P-521 or P-256K, and its size.");
  }
  return { exportable, kty, key_size: curves[crv], reuse_key, crv };
}

const isCurve = (name: string): name is Curve => Object.hasOwn(curves, name);

export function readSecretProps(given: Given, before?: Policy["secret_props"]): Policy["secret_props"] {
  const contentType = text(given, "contentType", "policy.secret_props") ?? before?.contentType ?? pkcs12Type;
  if (contentType === pkcs12Type || contentType === pemType) return { contentType };
  throw invalid("policy.secret_props", `The content type is neither ${pkcs12Type} nor ${pemType}.`);
}

export function readX509Props(given: Given, before?: X509Props): X509Props {
  const path = "policy.x509_props";
  const subject = text(given, "subject", path) || before?.subject;
  if (subject !== undefined && !parseSubject(subject)) throw invalid(path, "Invalid X.500 distinguished name");
  const givenSans = readSans(given["sans"] ?? undefined, path);
  const sans = Object.keys(givenSans ?? {}).length > 0 ? givenSans : (before?.sans ?? givenSans);
  if (subject === undefined && !Object.values(sans ?? {}).some((values) => values.length > 0)) {
    throw invalid(path, "There is neither a subject nor a subject alternative name.");
  }
  const ekus = texts(given, "ekus", path) ?? before?.ekus ?? [serverAuth, clientAuth];
  if (!ekus.every(isOid)) throw invalid(path, "An enhanced key usage is no object identifier.");
  const validity_months = integer(given, "validity_months", path) ?? before?.validity_months ?? 12;
  if (validity_months < 1 || validity_months > maxMonths) throw invalid(path, "The validity is out of range.");
  const constraints = given["basic_constraints"] ?? {};
  if (!isObject(constraints)) throw invalid(path, "The basic constraints are malformed.");
  return {
    ...(subject === undefined ? {} : { subject }),
    ...(sans === undefined ? {} : { sans }),
    ekus,
    key_usage: readKeyUsage(given, path) ?? before?.key_usage ?? ["digitalSignature", "keyEncipherment"],
    validity_months,
    basic_constraints: { ca: boolean(constraints, "ca", path) ?? before?.basic_constraints.ca ?? false },
  };
}

/** In any case: clients write `crlSign` and `cRLSign`. */
function readKeyUsage(given: Given, path: string): readonly string[] | undefined {
  return texts(given, "key_usage", path)?.map((usage) => {
    const known = keyUsages.find((one) => one.toLowerCase() === usage.toLowerCase());
    if (!known) throw invalid(path, `There is no key usage ${usage}.`);
    return known;
  });
}

const sanChecks: Readonly<Record<SanKind, (value: string) => boolean>> = {
  emails: (value) => /^[^@\s]+@[^@\s]+$/.test(value) && isAscii(value),
  dns_names: (value) => /^[^\s/@]+$/.test(value) && isAscii(value),
  upns: (value) => /\S/.test(value) && value.isWellFormed(),
  uris: (value) => /^[a-z][a-z0-9+.-]*:./i.test(value) && isAscii(value) && !value.includes(" "),
  ipAddresses: (value) => isIP(value) !== 0 && !value.includes("%"),
};

/** What a list of names may hold is checked per kind; an empty object is kept but says nothing. */
function readSans(given: unknown, path: string): Sans | undefined {
  if (given === undefined) return undefined;
  if (!isObject(given)) throw invalid(path, "The subject alternative names are malformed.");
  const kinds = Object.keys(sanChecks) as SanKind[];
  const entries = kinds.flatMap((kind) => {
    const values = texts(given, kind, path);
    if (values === undefined) return [];
    if (!values.every((value) => sanChecks[kind](value))) throw invalid(path, `One of ${kind} is malformed.`);
    return [[kind, values] as const];
  });
  return Object.fromEntries(entries);
}

export function readIssuer(given: Given, before?: IssuerParameters): IssuerParameters {
  const path = "policy.issuer";
  const name = text(given, "name", path) || before?.name || "Unknown";
  const reserved = ["Self", "Unknown"].find((one) => one.toLowerCase() === name.toLowerCase());
  const cty = text(given, "cty", path) ?? before?.cty;
  const cert_transparency = boolean(given, "cert_transparency", path) ?? before?.cert_transparency;
  return {
    name: reserved ?? name,
    ...(cty === undefined ? {} : { cty }),
    ...(cert_transparency === undefined ? {} : { cert_transparency }),
  };
}

/** At most one action of each type. Without any: renewal at 80 %, which for an unknown issuer is left to people. */
export function readLifetimeActions(
  given: unknown,
  before: readonly LifetimeAction[] | undefined,
  issuer: IssuerParameters,
  months: number,
): readonly LifetimeAction[] {
  const path = "policy.lifetime_actions";
  if (given !== undefined && !Array.isArray(given)) throw invalid(path, "It is not a list.");
  const actions = (given as unknown[] | undefined)?.map((one) => readAction(one, path)) ?? before;
  if (!actions?.length) {
    const action_type = issuer.name === "Unknown" ? "EmailContacts" : "AutoRenew";
    return [{ trigger: { lifetime_percentage: 80 }, action: { action_type } }];
  }
  if (new Set(actions.map(({ action }) => action.action_type)).size < actions.length) {
    throw invalid(path, "There are two actions of one type.");
  }
  for (const { trigger } of actions) {
    const days = trigger.days_before_expiry ?? 1;
    if (days > months * daysInMonth) {
      throw invalid(path, `days_before_expiry must be from 1 to ${months * daysInMonth}.`);
    }
  }
  return actions;
}

function readAction(given: unknown, path: string): LifetimeAction {
  if (!isObject(given) || !isObject(given["trigger"]) || !isObject(given["action"]))
    throw invalid(path, "It is malformed.");
  const type = text(given["action"], "action_type", path)?.toLowerCase();
  const action_type = (["AutoRenew", "EmailContacts"] as const).find((one) => one.toLowerCase() === type);
  if (!action_type) throw invalid(path, "The action is neither AutoRenew nor EmailContacts.");
  const lifetime_percentage = integer(given["trigger"], "lifetime_percentage", path);
  const days_before_expiry = integer(given["trigger"], "days_before_expiry", path);
  if ((lifetime_percentage === undefined) === (days_before_expiry === undefined)) {
    throw invalid(path, "A trigger is either a lifetime_percentage or days_before_expiry.");
  }
  if (lifetime_percentage !== undefined) {
    if (lifetime_percentage < 1 || lifetime_percentage > 99) {
      throw invalid(path, "lifetime_percentage must be from 1 to 99.");
    }
    return { trigger: { lifetime_percentage }, action: { action_type } };
  }
  if (days_before_expiry! < 1) throw invalid(path, "days_before_expiry must be at least 1.");
  return { trigger: { days_before_expiry }, action: { action_type } };
}
