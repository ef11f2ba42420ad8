import { X509Certificate, createHash } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import { AuthorityKeyIdentifier, Certificate, id_ce_authorityKeyIdentifier } from "@peculiar/asn1-x509";
import { z } from "zod";
import { PinionError } from "../../../src/errors.ts";
import type { CertificateSlot } from "../../../src/rotator.ts";
import { parse, withReader } from "./client.ts";
import type { Reader } from "./client.ts";
import { retryAfter } from "./http.ts";
import type { AcmeStep } from "./target.ts";

/** When to renew a certificate, and who said so. */
export interface Renewal {
  /** Milliseconds since 1970. In the past: at once. */
  readonly at: number;
  readonly by: "the CA's window" | "two thirds of its life";
  /** When to ask the CA again, in seconds; it may call for an early renewal. */
  readonly askAgainSeconds?: number;
  /** A page of the CA's for people. */
  readonly explanation?: string;
}

const renewalInfo = z.looseObject({
  suggestedWindow: z.looseObject({ start: z.iso.datetime({ offset: true }), end: z.iso.datetime({ offset: true }) }),
  explanationURL: z
    .url({ protocol: /^https$/ })
    .max(300)
    .optional(),
});

/** The certificate's id of RFC 9773 section 4.1: key identifier of its authority, and its serial number, in base64url. */
export function certificateId(leaf: Uint8Array): string | undefined {
  const { tbsCertificate } = AsnConvert.parse(leaf, Certificate);
  const extension = tbsCertificate.extensions?.find(({ extnID }) => extnID === id_ce_authorityKeyIdentifier);
  const authority = extension && AsnConvert.parse(extension.extnValue.buffer, AuthorityKeyIdentifier).keyIdentifier;
  if (!authority) return undefined;
  return [authority.buffer, tbsCertificate.serialNumber]
    .map((bytes) => Buffer.from(bytes).toString("base64url"))
    .join(".");
}

/**
 * What a new order may say it `replaces`: the id of the slot's source, where the CA offers renewal information, knows this certificate,
 * and one of its names is ordered again (RFC 9773 section 5). Trouble in asking is no trouble for the order.
 */
export async function replaceable(reader: Reader, { source, wanted }: CertificateSlot): Promise<string | undefined> {
  if (reader.directory.renewalInfo === undefined) return undefined;
  const leaf = (await source())?.leaf;
  if (!leaf) return undefined;
  const had = new X509Certificate(leaf).subjectAltName?.toLowerCase().split(/,\s*/) ?? [];
  if (!wanted.names.some((name) => had.includes(`dns:${name.toLowerCase()}`))) return undefined;
  const id = certificateId(leaf);
  return id !== undefined && (await askWindow(reader, id)) ? id : undefined;
}

/**
 * When to renew: an instant in the window that the CA suggests (RFC 9773 section 4.2), spread evenly over all certificates yet always
 * the same for one; without such a window, two thirds of the certificate's life.
 */
export async function renewAt(step: AcmeStep, { leaf }: { readonly leaf: Uint8Array }): Promise<Renewal> {
  const id = certificateId(leaf);
  const told = id === undefined ? undefined : await windowFor(step, id);
  if (!told) {
    const { validFromDate, validToDate } = new X509Certificate(leaf);
    const [from, to] = [validFromDate.getTime(), validToDate.getTime()];
    return { at: Math.floor(from + ((to - from) * 2) / 3), by: "two thirds of its life" };
  }
  const share = createHash("sha256").update(id!).digest().readUInt32BE() / 2 ** 32;
  const askAgainSeconds = retryAfter(told.reply, step.ports.now());
  return {
    at: Math.floor(told.start + (told.end - told.start) * share),
    by: "the CA's window",
    ...(askAgainSeconds === undefined ? {} : { askAgainSeconds }),
    ...(told.explanation === undefined ? {} : { explanation: told.explanation }),
  };
}

/** A CA that cannot be asked now must not keep anybody from knowing when a certificate is due. */
async function windowFor(step: AcmeStep, id: string) {
  try {
    return await withReader(step, async (reader) => await askWindow(reader, id));
  } catch (error) {
    if (error instanceof PinionError && error.class !== "permanent") return undefined;
    throw error;
  }
}

/** The window, where the CA has one for this certificate. A CA that fails here is treated as one that has none. */
async function askWindow(reader: Reader, id: string) {
  const base = reader.directory.renewalInfo;
  if (base === undefined) return undefined;
  try {
    const reply = await reader.get(`${base.replace(/\/$/, "")}/${id}`);
    if (reply.status !== 200) return undefined;
    const { suggestedWindow, explanationURL } = parse(reply, renewalInfo, "renewal information");
    const [start, end] = [Date.parse(suggestedWindow.start), Date.parse(suggestedWindow.end)];
    return end > start ? { start, end, explanation: explanationURL, reply } : undefined;
  } catch {
    return undefined;
  }
}
