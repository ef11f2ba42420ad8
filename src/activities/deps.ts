import type { ContainerClient } from "@azure/storage-blob";
import type { Consumer } from "../consumer.ts";
import type { Publisher } from "../events.ts";
import type { ManagedObject, Policy, PolicyVault } from "../policy.ts";
import type { ConsumerKind } from "../policy-consumers.ts";
import type { PolicyFault } from "../policy-faults.ts";
import type { Rotator } from "../rotator.ts";
import type { Log } from "../signals.ts";
import type { Fleet } from "../store/fleet.ts";
import type { WithLease } from "../store/leases.ts";
import type { Records } from "../store/records.ts";
import type { CertificateOperations } from "../vault/certificate-operations.ts";
import type { KeyVault } from "../vault/keys.ts";
import type { Vault } from "../vault/vault.ts";
import type { Zone } from "../zone.ts";

/** What steps and triggers need of the outside; made once, in main.ts. Vaults, targets and consumers are in none of it: an object is reached with its subject's zone alone. */
export interface Deps {
  /** The policy as it is now, and what is wrong with it. Read again when it may have changed. */
  policy(): Promise<CurrentPolicy>;
  /** The trust zone of an identity of the policy (`vaults.<name>.identity`); the app's own for none. */
  zone(identity: string | undefined): Zone;
  readonly records: Records;
  readonly fleet: Fleet;
  readonly withLease: WithLease;
  readonly evidence: ContainerClient;
  rotator(kind: string, strategy: string): Rotator<unknown>;
  consumer(kind: ConsumerKind): Consumer;
  readonly publish: Publisher;
  /** The kill switch. */
  readonly stop: boolean;
  /** Nothing is rotated: every object is as if the policy said `observe`, and no rotation starts for anybody. */
  readonly observe: boolean;
  /** Milliseconds since 1970, as the app sees it. */
  now(): number;
  /** What is counted has a signal of signals.ts. */
  readonly log: Log;
}

export interface CurrentPolicy {
  readonly policy: Policy | undefined;
  readonly faults: readonly PolicyFault[];
}

/** A managed object with everything that a step needs of it. */
export interface Subject {
  readonly object: ManagedObject;
  /** Partition of its records and id of its orchestration: `<vault>--<kind>--<name>`. */
  readonly key: string;
  readonly vaultName: string;
  /** `https://<vault>/secrets/<name>`, also of a certificate, since that is what is read of it; `.../keys/<name>` of a key. */
  readonly baseUrl: string;
  /** What its vault, its staging vault, its target and its consumers are reached with. */
  readonly zone: Zone;
  readonly vault: Vault;
  readonly staging: Vault;
  /** Where candidates are made: staged beside the object, or, by the vault itself, in it; then proof follows publication. */
  readonly madeIn: "staging" | "object";
  readonly keys: KeyVault;
  readonly certificates: { readonly object: CertificateOperations; readonly staging: CertificateOperations };
  /** The policy's vaults: their ARM ids, and where what targets name is. */
  readonly vaults: Policy["vaults"];
  readonly rotator: Rotator<unknown>;
}

/** The id of an object's orchestration and records, made from vault, kind and name: it stops a second rotation of the object. */
export function objectKey(vault: PolicyVault, object: Pick<ManagedObject, "kind" | "name">): string {
  return `${vaultNameOf(vault)}--${object.kind}--${object.name}`.toLowerCase();
}

export function vaultNameOf(vault: PolicyVault): string {
  return vault.resourceId.split("/").at(-1) ?? "";
}

/** Where an object's candidates are made; see {@link Subject.madeIn}. */
export function madeIn(object: ManagedObject, rotator: Rotator<unknown>): Subject["madeIn"] {
  const inside =
    object.kind === "key" ||
    object.certificate?.exportable === false ||
    rotator.madeInObject?.(object.rotator.target) === true;
  return inside ? "object" : "staging";
}

/** Finds an object of the policy by id; undefined when it is not there, or not sound. */
export async function findSubject(deps: Deps, objectId: string): Promise<Subject | undefined> {
  const { policy } = await deps.policy();
  const declared = policy?.objects.find(({ id }) => id === objectId);
  const object = declared && (deps.observe ? { ...declared, mode: "observe" as const } : declared);
  const vault = object && policy?.vaults[object.vault];
  if (policy === undefined || object === undefined || vault === undefined) return undefined;
  const rotator = deps.rotator(object.rotator.kind, object.rotator.strategy);
  const staging = vault.staging === undefined ? vault : (policy.vaults[vault.staging] ?? vault);
  const zone = deps.zone(vault.identity);
  return {
    object,
    zone,
    key: objectKey(vault, object),
    vaultName: vaultNameOf(vault),
    baseUrl: `${vault.uri}/${object.kind === "key" ? "keys" : "secrets"}/${object.name}`,
    vault: zone.vault(vault.uri, object.kind),
    staging: zone.vault(staging.uri, object.kind),
    madeIn: madeIn(object, rotator),
    keys: zone.keys(vault.uri),
    certificates: { object: zone.certificates(vault.uri), staging: zone.certificates(staging.uri) },
    vaults: policy.vaults,
    rotator,
  };
}

/** The key of the lease that a step of this object holds: what its rotator changes, or, where that is nothing beyond it, the object. */
export function accountOf({ rotator, object, key }: Subject): string {
  const account = rotator.account(object.rotator.target);
  return account === "" ? key : account;
}

/** The breakers that a failure of this object counts against. */
export function breakersOf(subject: Subject): readonly string[] {
  return [`vault:${subject.vaultName}`, `target:${accountOf(subject)}`];
}
