import type { Name } from "@peculiar/asn1-x509";
import { PinionError } from "../../../src/errors.ts";
import type { CertificateWish } from "../../../src/rotator.ts";
import type { Authority } from "./authority.ts";
import { demandPermitted } from "./constraints.ts";
import { commonNameOf, subjectOf } from "./subject.ts";

export const serverAuth = "1.3.6.1.5.5.7.3.1";
export const clientAuth = "1.3.6.1.5.5.7.3.2";

const label = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?";
const dnsName = new RegExp(`^(?=.{1,253}$)(\\*\\.)?${label}(\\.${label})*$`);

/**
 * The subject of a wish that this authority may fulfil. Refuses with `NAME_NOT_PERMITTED` what lies outside of a name constraint, and
 * with `TARGET_MISCONFIGURED` names and usages that no certificate of this rotator can have.
 */
export function demandGrantable(
  wanted: CertificateWish,
  { constraints, usages }: Pick<Authority, "constraints" | "usages">,
): Name {
  const subject = subjectOf(wanted.subject);
  const common = commonNameOf(subject);
  const odd = wanted.names.find((name) => !dnsName.test(name));
  if (odd !== undefined) throw misconfigured(`${JSON.stringify(odd)} is no DNS name in lower case`);
  // Old clients take a common name for a DNS name, so it must not get past the constraints.
  if (
    common !== undefined &&
    common.includes(".") &&
    dnsName.test(common.toLowerCase()) &&
    !wanted.names.includes(common.toLowerCase())
  )
    throw misconfigured(`the common name ${common} is not among the names`);
  if (wanted.usages.includes(serverAuth) && wanted.names.length === 0)
    throw misconfigured("a server's certificate needs a DNS name");
  if (wanted.names.length === 0 && subject.length === 0) throw misconfigured("it names nobody");
  if (wanted.usages.length === 0 || wanted.usages.some((usage) => usage !== serverAuth && usage !== clientAuth))
    throw misconfigured(`its usages must be server (${serverAuth}) or client (${clientAuth}) authentication`);
  const denied = wanted.usages.find((usage) => usages?.has(usage) === false);
  if (denied !== undefined) throw misconfigured(`the authority's own certificates do not allow the usage ${denied}`);
  demandPermitted(wanted.names, subject, constraints);
  return subject;
}

function misconfigured(why: string): PinionError {
  return new PinionError("TARGET_MISCONFIGURED", `The certificate that the policy asks for is refused: ${why}.`);
}
