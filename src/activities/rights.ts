import { lacking, type Needs } from "../azure/permissions.ts";
import { type ErrorCode, PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import { stagingName } from "../vault/staging.ts";
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
}

/**
 * That everything which the rotation will write may be written, so that a missing role is found before anything changes. Refuses with `VAULT_FORBIDDEN`, `TARGET_FORBIDDEN` or `CONSUMER_FORBIDDEN` (propagation).
 */
export async function proveRights(scene: Scene): Promise<readonly Proof[]> {
  const { deps, subject, signal } = scene;
  const { object, key, resourceIds } = subject;
  const code = "VAULT_FORBIDDEN";
  const at = (vault: string, name: string) => `${vault}/${object.kind}s/${name}`;
  const inside = object.kind === "certificate" && subject.madeIn === "object";
  const { object: own, staging } = actionsOf[inside ? "inside" : object.kind];
  const asked: readonly Asked[] = [
    { code, what: object.id, scope: at(resourceIds.vault, object.name), dataActions: own },
    ...(subject.madeIn === "object"
      ? []
      : [
          {
            code,
            what: `its staging ${object.kind}`,
            scope: at(resourceIds.staging, stagingName(key)),
            dataActions: staging,
          } as const,
        ]),
    ...(subject.rotator.needs?.(object.rotator.target) ?? []).map(
      (needs) => ({ ...needs, what: needs.scope.split("/").slice(-2).join("/"), code: "TARGET_FORBIDDEN" }) as const,
    ),
    ...boundConsumers(scene).flatMap(({ kind, at }) => {
      const needs = kind.needs(at.consumer);
      return needs === undefined ? [] : [{ ...needs, what: at.consumer.id, code: "CONSUMER_FORBIDDEN" } as const];
    }),
  ];
  const look = async ({ what, code, ...needs }: Asked) => {
    const missing = await lacking(deps.arm, needs, signal);
    // Not told is not proven: then there is no proof, and what is lacking shows when it is written.
    if (missing === undefined) return [];
    const proof = { name: `${what} may be written`, ok: missing.length === 0 };
    return [{ code, needs, proof: missing.length === 0 ? proof : { ...proof, detail: missing.join(", ") } }];
  };
  const looks = (await Promise.all(asked.map(look))).flat();
  return demand(
    looks.map(({ proof }) => proof),
    (failed) => {
      const { code: refusal = code, needs } = looks.find(({ proof }) => proof === failed) ?? {};
      return new PinionError(
        refusal,
        `The app's identity lacks ${failed.detail ?? ""} at ${needs?.scope ?? ""}: assign it a role that has them; nothing was changed.`,
        { class: "propagation" },
      );
    },
  );
}
