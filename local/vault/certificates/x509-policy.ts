import type { X509Certificate } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate } from "@peculiar/asn1-x509";
import { badParameter } from "../refusal.ts";
import { describeKey } from "./content.ts";
import type { Material } from "./content.ts";
import { readExtensions } from "./extensions.ts";
import { maxMonths } from "./limits.ts";
import type { ContentType, Policy, X509Props } from "./model.ts";
import { formatSubject, parseSubject } from "./subject.ts";

const month = (365.25 / 12) * 86_400_000;

/** The policy that an imported X.509 certificate tells: more of its kind, to be got by people. */
export function policyOf({ key, leaf }: Material, contentType: ContentType, now: number): Policy {
  return {
    key_props: { exportable: true, reuse_key: false, ...describeKey(key) },
    secret_props: { contentType },
    x509_props: { ...saidBy(leaf), validity_months: monthsOf(leaf) },
    lifetime_actions: [{ trigger: { lifetime_percentage: 80 }, action: { action_type: "EmailContacts" } }],
    issuer: { name: "Unknown" },
    enabled: true,
    created: now,
    updated: now,
  };
}

function saidBy({ raw }: X509Certificate): Omit<X509Props, "validity_months"> {
  try {
    const certificate = AsnConvert.parse(raw, Certificate);
    const subject = formatSubject(certificate.tbsCertificate.subject);
    return { ...(parseSubject(subject) ? { subject } : {}), ...readExtensions(certificate) };
  } catch {
    throw badParameter(
      "The specified X.509 certificate content can not be read. Please check if certificate is valid.",
    );
  }
}

/** Whole months, at least one. */
function monthsOf({ validFromDate, validToDate }: X509Certificate): number {
  const months = Math.round((validToDate.getTime() - validFromDate.getTime()) / month);
  return Math.min(maxMonths, Math.max(1, months));
}
