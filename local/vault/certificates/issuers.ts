import { X509Certificate, createPrivateKey, generateKeyPairSync } from "node:crypto";
import { isObject, readAttributes, readText, seconds } from "../attributes.ts";
import type { Fields } from "../kind.ts";
import type { Call, Json, Operation, Reply, Vault, VaultObject } from "../model.ts";
import { page } from "../paging.ts";
import { Refusal, badParameter } from "../refusal.ts";
import { newVersion } from "../version.ts";
import type { Given } from "./fields.ts";
import { invalid } from "./fields.ts";
import type { IssuerVersion, Policy } from "./model.ts";
import { addMonths, createCertificate } from "./x509.ts";
import type { Signer } from "./x509.ts";

// Registered issuers. Whatever its provider's name, an issuer is played by a certificate authority of its own.

type Issuer = VaultObject<IssuerVersion>;

const maxText = 1024;
const maxAdministrators = 100;
const authorityMonths = 240;
const administratorMembers = ["first_name", "last_name", "email", "phone"] as const;

function list(call: Call): Reply {
  const { vault } = call;
  return page(call, "certificates/issuers", vault.issuers.names(), (name) => {
    const issuer = vault.issuers.find(name)!;
    return { id: idOf(vault, issuer.name), provider: issuer.versions[0]!.provider };
  });
}

function get(call: Call): Reply {
  return { status: 200, body: bundle(call.vault, read(call)) };
}

function set(call: Call): Reply {
  const { vault, now, name } = call;
  const given = readIssuer(call.body());
  if (given.provider === undefined) throw badParameter("The parameter provider is missing.");
  const before = vault.issuers.find(name);
  const version: IssuerVersion = {
    ...newVersion(now),
    ...given,
    provider: given.provider,
    id: "issuer",
    created: before?.versions[0]!.created ?? now,
    authority: before?.versions[0]!.authority ?? makeAuthority(name, now),
  };
  return write(vault, { name: before?.name ?? name, versions: [version] });
}

/** Only the given members. */
function update(call: Call): Reply {
  const given = readIssuer(call.body());
  const issuer = read(call);
  return write(call.vault, { ...issuer, versions: [{ ...issuer.versions[0]!, ...given, updated: call.now }] });
}

function remove(call: Call): Reply {
  const { vault } = call;
  const issuer = read(call);
  vault.commit([vault.issuers.removing(issuer.name)]);
  return { status: 200, body: bundle(vault, issuer) };
}

function write(vault: Vault, issuer: Issuer): Reply {
  vault.issuers.write(issuer, issuer.versions);
  return { status: 200, body: bundle(vault, issuer) };
}

function read({ vault, name }: Call): Issuer {
  const issuer = vault.issuers.find(name);
  if (issuer) return issuer;
  throw new Refusal(404, "CertificateIssuerNotFound", `Certificate issuer not found: ${name}`);
}

type GivenIssuer = Partial<Pick<IssuerVersion, "provider" | "accountId" | "organization" | "enabled">>;

/** The password of the account is not even kept: nothing here logs in with it. */
function readIssuer(body: Given): GivenIssuer {
  const provider = readText(body, "provider", maxText);
  if (provider === "") throw badParameter("The parameter provider is empty.");
  const credentials = readObject(body, "credentials");
  readText(credentials, "pwd", maxText);
  const accountId = readText(credentials, "account_id", maxText);
  const organization = body["org_details"] == null ? undefined : readOrganization(readObject(body, "org_details"));
  const { enabled } = readAttributes(body);
  return {
    ...(provider === undefined ? {} : { provider }),
    ...(accountId === undefined ? {} : { accountId }),
    ...(organization === undefined ? {} : { organization }),
    ...(enabled === undefined ? {} : { enabled }),
  };
}

function readOrganization(given: Given): Json {
  const id = readText(given, "id", maxText);
  const list = given["admin_details"] ?? undefined;
  if (list !== undefined && (!Array.isArray(list) || list.length > maxAdministrators)) {
    throw badParameter("The parameter org_details.admin_details is not a list, or too long.");
  }
  const admin_details = (list as unknown[] | undefined)?.map((one) => {
    if (!isObject(one))
      throw badParameter("The parameter org_details.admin_details has a member that is not an object.");
    return Object.fromEntries(administratorMembers.map((name) => [name, readText(one, name, maxText)]));
  });
  return { id, zip: 0, admin_details };
}

function readObject(body: Given, name: string): Given {
  const value = body[name] ?? {};
  if (!isObject(value)) throw badParameter(`The parameter ${name} is not an object.`);
  return value;
}

const idOf = (vault: Vault, name: string) => `${vault.url}/certificates/issuers/${name}`;

function bundle(vault: Vault, { name, versions: [version] }: Issuer): Fields {
  const { provider, accountId, organization, enabled, created, updated } = version!;
  return {
    id: idOf(vault, name),
    provider,
    ...(accountId === undefined ? {} : { credentials: { account_id: accountId } }),
    org_details: organization,
    attributes: { enabled, created: seconds(created), updated: seconds(updated) },
  };
}

function makeAuthority(name: string, now: number): IssuerVersion["authority"] {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const props = {
    subject: `CN=Test issuer ${name}`,
    ekus: [],
    key_usage: ["keyCertSign", "cRLSign"],
    validity_months: authorityMonths,
    basic_constraints: { ca: true },
  };
  // Clients may check it by their own clock, which can be behind the cloud's.
  const period = { from: Math.min(now, Date.UTC(2020, 0, 1)), until: addMonths(now, authorityMonths) };
  return {
    certificate: createCertificate(props, privateKey, period).toString("base64"),
    key: privateKey.export({ format: "der", type: "pkcs8" }).toString("base64"),
  };
}

/** The authority of a registered issuer and its certificate, or undefined when it is gone. */
export function authorityOf(vault: Vault, name: string): (Signer & { readonly root: X509Certificate }) | undefined {
  const authority = vault.issuers.find(name)?.versions[0]?.authority;
  if (!authority) return undefined;
  const certificate = Buffer.from(authority.certificate, "base64");
  const key = createPrivateKey({ key: Buffer.from(authority.key, "base64"), format: "der", type: "pkcs8" });
  return { certificate, key, root: new X509Certificate(certificate) };
}

/** Refuses a policy whose issuer is neither reserved nor registered and enabled. */
export function refuseUnknownIssuer(vault: Vault, { issuer: { name } }: Policy): void {
  if (name === "Self" || name === "Unknown") return;
  const issuer = vault.issuers.find(name)?.versions[0];
  if (!issuer) throw invalid("policy.issuer", `There is no issuer ${name} in this key vault.`);
  if (!issuer.enabled) throw invalid("policy.issuer", `The issuer ${name} is disabled.`);
}

const path = "certificates/issuers";

export const issuerOperations: readonly Operation[] = [
  { operation: "issuer.list", method: "GET", path, run: list },
  { operation: "issuer.get", method: "GET", path: `${path}/:name`, run: get },
  { operation: "issuer.set", method: "PUT", path: `${path}/:name`, run: set },
  { operation: "issuer.update", method: "PATCH", path: `${path}/:name`, run: update },
  { operation: "issuer.delete", method: "DELETE", path: `${path}/:name`, run: remove },
];
