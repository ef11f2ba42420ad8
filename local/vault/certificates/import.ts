import { readAttributes, readTags } from "../attributes.ts";
import type { Call, Operation, Reply } from "../model.ts";
import { badParameter } from "../refusal.ts";
import { newVersion } from "../version.ts";
import { certificateKind } from "./certificate.ts";
import { readContent } from "./content.ts";
import { readSection } from "./fields.ts";
import type { Given } from "./fields.ts";
import { readUnoccupied } from "./free-name.ts";
import { refuseUnknownIssuer } from "./issuers.ts";
import { maxTagLength } from "./limits.ts";
import { pemType, pkcs12Type } from "./model.ts";
import type { CertificateObject } from "./model.ts";
import { readKeepOrder } from "./keep-order.ts";
import { patchPolicy, readPolicy } from "./policy.ts";
import { publish, wholeVersion } from "./publish.ts";
import { policyOf } from "./x509-policy.ts";

/** Brings a key with its certificates. What the caller's policy leaves open is read from the X.509 certificate. */
function bring(call: Call): Reply {
  const { vault, now, apiVersion, name } = call;
  const body = call.body();
  const { value, pwd } = body;
  if (typeof value !== "string" || value === "") throw badParameter("The parameter value is missing or not a string.");
  if (typeof (pwd ?? "") !== "string") throw badParameter("The parameter pwd is not a string.");
  const { enabled = true } = readAttributes(body);
  const tags = readTags(body, maxTagLength);
  const given = readPolicy(body);
  const keepOrder = readKeepOrder(call, body);
  const before = readUnoccupied(call);
  const type = contentTypeOf(given, value);
  const material = readContent(value, type, (pwd ?? "") as string, keepOrder);
  const own = policyOf(material, type, now);
  const policy = given ? patchPolicy(own, withoutKeyFacts(given), apiVersion, now) : own;
  refuseUnknownIssuer(vault, policy);
  const version = wholeVersion(
    { ...newVersion(now), tags, ...(keepOrder ? { keepOrder } : {}) },
    material,
    now,
    enabled,
  );
  const certificate: CertificateObject = {
    ...before,
    name: before?.name ?? name,
    versions: [...(before?.versions ?? []), version],
    policy: { ...policy, created: before?.policy.created ?? now },
    pending: undefined,
  };
  publish(vault, certificate, version, material, policy);
  return { status: 200, body: certificateKind.bundle(call, certificate, version) };
}

/** Official JS clients leave out the policy that they are given, so a PEM text must speak for itself. */
function contentTypeOf(given: Given | undefined, value: string) {
  const usual = value.includes("-----BEGIN ") ? pemType : pkcs12Type;
  const { contentType = usual } = (given && readSection(given, "secret_props", "policy.secret_props")) ?? {};
  return contentType === pemType ? pemType : pkcs12Type;
}

/** The key is what it is; a policy may only say whether it can be exported and used again. */
function withoutKeyFacts(given: Given): Given {
  const props = readSection(given, "key_props", "policy.key_props");
  if (!props) return given;
  const { kty: _kty, key_size: _size, crv: _crv, ...rest } = props;
  return { ...given, key_props: rest };
}

/** A version that is brought along with its key. */
export const importOperation: Operation = {
  operation: "certificate.import",
  method: "POST",
  path: "certificates/:name/import",
  run: bring,
};
