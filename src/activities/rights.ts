import { lacking, type Needs } from "../azure/permissions.ts";
import { type ErrorCode, PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import { stagingName } from "../vault/staging.ts";
import type { ObjectKind } from "../vault/vault.ts";
import { boundConsumers } from "./consumers.ts";
import { demand } from "./credentials.ts";
import type { Scene } from "./step.ts";

const vaultActions = (...actions: string[]) => actions.map((action) => `Microsoft.KeyVault/vaults/${action}`);
const staged = vaultActions("secrets/getSecret/action", "secrets/setSecret/action", "secrets/update/action");
const issued = vaultActions("certificates/read", "certificates/create/action", "certificates/update/action");

const read = vaultActions("secrets/getSecret/action");

/** What a rotation does with an object, and with the one in which its candidate is staged. Facts: data actions of Microsoft.KeyVault. */
export const actionsOf = {
  secret: { object: [...staged, ...vaultActions("secrets/readMetadata/action")], staging: staged },
  certificate: {
    object: [...vaultActions("certificates/read", "certificates/import/action", "certificates/update/action"), ...read],
    staging: [...issued, ...read, ...vaultActions("keys/read")],
  },
  /** A certificate whose candidate is made in the object: a signature of its key proves it. */
  inside: { object: [...issued, ...read, ...vaultActions("keys/read", "keys/sign/action")], staging: [] },
  // What is done with its material (sign and verify, wrap and unwrap) is tried before this is asked.
  key: {
    object: vaultActions(
      "keys/read",
      "keys/rotate/action",
      "keys/update/action",
      "keyrotationpolicies/read",
      "keyrotationpolicies/write",
    ),
    staging: [],
  },
} as const;

interface Asked extends Needs {
  readonly what: string;
  readonly code: ErrorCode;
  /** The ARM id of the vault that it is in. */
  readonly vault?: string;
}

/** What is done in a vault under one name. The secret and the key of a certificate have ARM ids of their own, at which roles may be given. */
function askVault(
  { vault, kind, name, what }: { vault: string; kind: ObjectKind; name: string; what: string },
  actions: readonly string[],
): readonly Asked[] {
  const collectionOf = (action: string) => /vaults\/(secrets|certificates)\//.exec(action)?.[1] ?? "keys";
  return [...Map.groupBy(actions, collectionOf)].map(([collection, dataActions]) => ({
    code: "VAULT_FORBIDDEN",
    vault,
    what: collection === `${kind}s` ? what : `the ${collection.slice(0, -1)} of ${what}`,
    scope: `${vault}/${collection}/${name}`,
    dataActions,
  }));
}

/**
 * That everything which the rotation will write may be written, so that a missing role is found before anything changes. Refuses with `VAULT_FORBIDDEN`, `TARGET_FORBIDDEN` or `CONSUMER_FORBIDDEN` (propagation).
 */
export async function proveRights(scene: Scene): Promise<readonly Proof[]> {
  const { deps, subject, signal } = scene;
  const { object, key, resourceIds, madeIn } = subject;
  const { kind, name, id } = object;
  const { object: own, staging } = actionsOf[kind === "certificate" && madeIn === "object" ? "inside" : kind];
  const sibling = { vault: resourceIds.staging, kind, name: stagingName(key), what: `its staging ${kind}` };
  const asked: readonly Asked[] = [
    ...askVault({ vault: resourceIds.vault, kind, name, what: id }, own),
    ...(madeIn === "object" ? [] : askVault(sibling, staging)),
    ...(subject.rotator.needs?.(object.rotator.target) ?? []).map(
      (needs) => ({ ...needs, what: needs.scope.split("/").slice(-2).join("/"), code: "TARGET_FORBIDDEN" }) as const,
    ),
    ...boundConsumers(scene).flatMap(({ kind, at }) => {
      const needs = kind.needs(at.consumer);
      return needs === undefined ? [] : [{ ...needs, what: at.consumer.id, code: "CONSUMER_FORBIDDEN" } as const];
    }),
  ];
  const told = await Promise.all(asked.map((one) => lacking(deps.arm, one, signal)));
  // A vault goes by roles for all that is in it, or for nothing.
  const byRoles = new Set(asked.filter((_, at) => told[at] !== undefined).map(({ vault }) => vault));
  const look = async (one: Asked, at: number) => {
    const known = one.vault !== undefined && byRoles.has(one.vault);
    const missing = told[at] ?? (known ? await lacking(deps.arm, one, signal, { byRoles: true }) : undefined);
    // Not told is not proven: then there is no proof, and what is lacking shows when it is used.
    if (missing === undefined) return [];
    const proof = {
      name: `${one.what} may be ${one.what.startsWith("the ") ? "used" : "written"}`,
      ok: missing.length === 0,
    };
    return [{ asked: one, proof: missing.length === 0 ? proof : { ...proof, detail: missing.join(", ") } }];
  };
  const looks = (await Promise.all(asked.map(look))).flat();
  return demand(
    looks.map(({ proof }) => proof),
    (failed) => {
      const { code = "VAULT_FORBIDDEN", scope = "" } = looks.find(({ proof }) => proof === failed)?.asked ?? {};
      return new PinionError(
        code,
        `The app's identity lacks ${failed.detail ?? ""} at ${scope}: assign it a role that has them; nothing was changed.`,
        { class: "propagation" },
      );
    },
  );
}
