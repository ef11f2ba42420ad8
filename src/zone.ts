import type { TokenCredential } from "@azure/core-auth";
import type { Arm } from "./azure/arm.ts";
import { PinionError } from "./errors.ts";
import type { KeyPort, Ports } from "./rotator.ts";
import type { Log } from "./signals.ts";
import type { WithLease } from "./store/leases.ts";
import { type CertificateOperations, openCertificateOperations } from "./vault/certificate-operations.ts";
import { openCertificates } from "./vault/certificates.ts";
import { openKeyPort, partsOf } from "./vault/key-port.ts";
import { type KeyVault, openKeys } from "./vault/keys.ts";
import { openSecretPort, openTargetSecrets } from "./vault/secret-port.ts";
import { openSecrets } from "./vault/secrets.ts";
import type { ObjectKind, Vault } from "./vault/vault.ts";

/**
 * A trust zone: everything that one identity does outside. Vaults of the policy that name an identity are worked in by that one alone, and so
 * are the targets and consumers of their objects; a stolen token of one zone opens nothing of another.
 */
export interface Zone {
  /** The objects of one kind in a vault. */
  vault(uri: string, kind: ObjectKind): Vault;
  /** How a vault makes keys and certificates. */
  keys(uri: string): KeyVault;
  certificates(uri: string): CertificateOperations;
  readonly arm: Arm;
  /** What rotators reach. */
  readonly ports: Ports;
}

/** Opens a zone with its identity. Nothing is contacted yet. */
export function openZone(credential: TokenCredential, arm: Arm, withLease: WithLease, log?: Log): Zone {
  const { keyPort, ...vaults } = openVaults(credential, log);
  return { ...vaults, arm, ports: openPorts({ ...vaults, keyPort }, credential, arm, withLease) };
}

/** Clients of vaults, by their address. */
export interface Vaults extends Pick<Zone, "vault" | "keys" | "certificates"> {
  readonly keyPort: KeyPort;
}

/** Opens every kind of client of a vault, each when it is asked for first. */
export function openVaults(credential: TokenCredential, log?: Log): Vaults {
  const keys = oneForEach((uri) => openKeys(uri, credential, log));
  const byKind: Readonly<Record<ObjectKind, (uri: string) => Vault>> = {
    secret: oneForEach((uri) => openSecrets(uri, credential, log)),
    certificate: oneForEach((uri) => openCertificates(uri, credential, log)),
    key: keys,
  };
  return {
    vault: (uri, kind) => byKind[kind](uri),
    keys,
    certificates: oneForEach((uri) => openCertificateOperations(uri, credential, log)),
    keyPort: openKeyPort(credential, log),
  };
}

/** Milliseconds for one call of a port. */
const patience = 20_000;

/** What rotators reach the outside through. */
export function openPorts(vaults: Vaults, credential: TokenCredential, arm: Arm, withLease: WithLease): Ports {
  const secrets = (uri: string) => vaults.vault(uri, "secret");
  return {
    secret: openSecretPort(secrets),
    ...openTargetSecrets(secrets),
    keys: vaults.keyPort,
    arm,
    now: () => Date.now(),
    withLease,
    async certificate(url) {
      const { origin, name, version } = partsOf(url);
      const found = await vaults.certificates(origin).read(name, version, AbortSignal.timeout(patience));
      if (found !== undefined) return found;
      throw new PinionError("SECRET_NOT_FOUND", `There is no certificate ${name} in ${new URL(url).host}.`);
    },
    async keyed(url) {
      const { origin, name, version = "" } = partsOf(url);
      return await vaults.certificates(origin).keyed(name, version, AbortSignal.timeout(patience));
    },
    async token(scope) {
      const token = await credential.getToken(scope);
      return token?.token ?? "";
    },
  };
}

/** Opens one thing for each name, at its first use. */
export function oneForEach<T>(open: (name: string) => T): (name: string) => T {
  const opened = new Map<string, T>();
  return (name) => {
    const found = opened.get(name) ?? open(name);
    opened.set(name, found);
    return found;
  };
}
