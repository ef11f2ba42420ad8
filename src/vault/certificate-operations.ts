import type { TokenCredential } from "@azure/core-auth";
import {
  CertificateClient,
  type CertificateOperation,
  type CertificatePolicy,
  type KeyVaultCertificate,
} from "@azure/keyvault-certificates";
import { SecretClient } from "@azure/keyvault-secrets";
import { PinionError } from "../errors.ts";
import type { CertificateWish, VaultCertificate } from "../rotator.ts";
import { isWhole, pem, pfx } from "./certificates.ts";
import { clientOptions } from "./client.ts";
import { toVaultError } from "./faults.ts";
import type { Log } from "../signals.ts";

/** A certificate's one operation, under way or ended. */
export interface Operation {
  readonly requestId: string;
  /** DER; absent once it has ended. */
  readonly csr?: Uint8Array;
  readonly status: "inProgress" | "completed" | "cancelled" | "failed";
  readonly issuer: string;
  /** What the issuer said, of a failed one. */
  readonly why?: string;
}

/** How a vault makes certificates: each call is what its name says, once. `name` is the certificate's. */
export interface CertificateOperations {
  /** A whole version; the newest one without `version`. Undefined where there is none. */
  read(name: string, version: string | undefined, signal: AbortSignal): Promise<VaultCertificate | undefined>;
  /** The tags of the newest version, be it only the placeholder of an operation. */
  newestTags(name: string, signal: AbortSignal): Promise<Readonly<Record<string, string>> | undefined>;
  /** Starts an operation: the vault makes a key pair and a placeholder version, disabled, with these tags. */
  begin(
    name: string,
    request: {
      readonly wish: CertificateWish;
      readonly issuer: string;
      readonly contentType: string;
      readonly tags: Readonly<Record<string, string>>;
      /** Signs with the key of the newest whole version again. */
      readonly reuseKey?: boolean;
    },
    signal: AbortSignal,
  ): Promise<void>;
  /** The operation as it is now; undefined where there is none. */
  operation(name: string, signal: AbortSignal): Promise<Operation | undefined>;
  merge(name: string, chain: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
  /** Takes the operation away. Its placeholder version stays, disabled. */
  remove(name: string, signal: AbortSignal): Promise<void>;
  /** The secret of a version, with the private key in it; undefined where that is not exportable. */
  keyed(
    name: string,
    version: string,
    signal: AbortSignal,
  ): Promise<{ readonly pfx: Uint8Array } | { readonly pem: string } | undefined>;
}

export function openCertificateOperations(uri: string, credential: TokenCredential, log?: Log): CertificateOperations {
  const at = { uri, log };
  const client = new CertificateClient(uri, credential, clientOptions(uri));
  const secrets = new SecretClient(uri, credential, clientOptions(uri));
  const unlessMissing = async <T>(request: Promise<T>): Promise<T | undefined> =>
    request.catch((error: unknown) => {
      if (error instanceof PinionError && error.code === "SECRET_NOT_FOUND") return undefined;
      throw error;
    });
  const get = (name: string, version: string | undefined, signal: AbortSignal): Promise<KeyVaultCertificate> =>
    toVaultError(at, name, () =>
      version === undefined
        ? client.getCertificate(name, { abortSignal: signal })
        : client.getCertificateVersion(name, version, { abortSignal: signal }),
    );

  return {
    async read(name, version, signal) {
      const found = await unlessMissing(get(name, version, signal));
      return found && isWhole(found) ? describeCertificate(uri, name, found) : undefined;
    },
    async newestTags(name, signal) {
      return (await unlessMissing(get(name, undefined, signal)))?.properties.tags;
    },
    async begin(name, { wish, issuer, contentType, tags, reuseKey = false }, signal) {
      const policy = policyOf(wish, issuer, contentType, reuseKey);
      // Beside the one request that matters this reads the operation; its poller is not waited for.
      await toVaultError(at, name, () =>
        client.beginCreateCertificate(name, policy, { tags: { ...tags }, enabled: true, abortSignal: signal }),
      );
    },
    async operation(name, signal) {
      const seen = await unlessMissing(
        toVaultError(at, name, async (): Promise<CertificateOperation> => {
          try {
            const poller = await client.getCertificateOperation(name, { abortSignal: signal });
            return poller.getOperationState().certificateOperation ?? {};
          } catch (error) {
            if (isReply(error)) throw error;
            // The client makes an error of an operation that failed, and then shows nothing else of it.
            return { status: "failed", error: { message: error instanceof Error ? error.message : "" } };
          }
        }),
      );
      return seen && describeOperation(seen);
    },
    async merge(name, chain, signal) {
      await toVaultError(at, name, () => client.mergeCertificate(name, [...chain], { abortSignal: signal }));
    },
    async remove(name, signal) {
      await unlessMissing(
        toVaultError(at, name, () => client.deleteCertificateOperation(name, { abortSignal: signal })),
      );
    },
    async keyed(name, version, signal) {
      const { value = "", properties } = await toVaultError(at, name, () =>
        secrets.getSecret(name, { version, abortSignal: signal }),
      );
      if (properties.contentType === pem) return value.includes("PRIVATE KEY") ? { pem: value } : undefined;
      const policy = await toVaultError(at, name, () => client.getCertificatePolicy(name, { abortSignal: signal }));
      return policy.exportable === false ? undefined : { pfx: Buffer.from(value, "base64") };
    },
  };
}

function policyOf(wish: CertificateWish, issuer: string, contentType: string, reuseKey: boolean): CertificatePolicy {
  const { key } = wish;
  // A request needs no subject beside its names; what the vault or its issuer makes by itself is named in any case.
  const subject = wish.subject === "" && issuer !== "Unknown" ? "CN=certificate" : wish.subject;
  return {
    ...(subject === "" ? {} : { subject }),
    subjectAlternativeNames: { dnsNames: wish.names as [string, ...string[]] },
    issuerName: issuer,
    contentType: contentType === pem ? pem : pfx,
    exportable: wish.exportable,
    reuseKey,
    ...(key.type === "RSA"
      ? { keyType: "RSA", keySize: key.size, keyUsage: ["digitalSignature", "keyEncipherment"] }
      : { keyType: "EC", keyCurveName: key.curve, keyUsage: ["digitalSignature"] }),
    enhancedKeyUsage: [...wish.usages],
    validityInMonths: monthsOf(wish.validity),
    // Otherwise the vault would renew by itself, beside Pinion.
    lifetimeActions: [{ action: "EmailContacts", lifetimePercentage: 80 }],
  };
}

const day = 86_400_000;

/** A twelfth of a year. */
const month = (365.25 / 12) * day;

/** Whole months, as the vault counts: as many as hold what was asked for. P30D and P31D are one month, P90D three, P365D twelve. */
export const monthsOf = (validity: number): number => Math.max(1, Math.ceil(validity / month - 0.05));

function describeCertificate(uri: string, name: string, { cer, properties }: KeyVaultCertificate): VaultCertificate {
  // Certificate, key and secret of a version share its id.
  const version = properties.version ?? "";
  return {
    url: `${uri}/certificates/${name}/${version}`,
    version,
    keyUrl: `${uri}/keys/${name}/${version}`,
    leaf: cer ?? new Uint8Array(),
    enabled: properties.enabled ?? true,
    tags: properties.tags ?? {},
  };
}

function describeOperation(found: CertificateOperation): Operation {
  const status = found.status ?? "inProgress";
  const known = status === "inProgress" || status === "completed" || status === "failed" ? status : "cancelled";
  const why = found.error?.message?.slice(0, 200);
  return {
    requestId: found.requestId ?? "",
    status: known,
    issuer: found.issuerName ?? "Unknown",
    ...(found.csr && known === "inProgress" ? { csr: found.csr } : {}),
    ...(why === undefined ? {} : { why }),
  };
}

/** Whether an error is about the request, and none that the client made of a reply. */
const isReply = (error: unknown): boolean =>
  error instanceof Error && ("statusCode" in error || "code" in error || error.name === "AbortError");
