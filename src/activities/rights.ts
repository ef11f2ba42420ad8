import { lacking, type Needs } from "../azure/permissions.ts";
import { type ErrorCode, PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import { stagingName } from "../vault/staging.ts";
import { boundConsumers } from "./consumers.ts";
import { demand } from "./credentials.ts";
import type { Scene } from "./step.ts";

const ofSecrets = (...actions: string[]) =>
  actions.map((action) => `Microsoft.KeyVault/vaults/secrets/${action}/action`);
const stagingActions = ofSecrets("getSecret", "setSecret", "update");
const secretActions = [...stagingActions, ...ofSecrets("readMetadata")];

interface Asked extends Needs {
  readonly what: string;
  readonly code: ErrorCode;
}

/**
 * That everything which the rotation will write may be written, so that a missing role is found before anything changes. Refuses with `VAULT_FORBIDDEN` or `CONSUMER_FORBIDDEN` (propagation).
 */
export async function proveRights(scene: Scene): Promise<readonly Proof[]> {
  const { deps, subject, signal } = scene;
  const { object, key, resourceIds } = subject;
  const code = "VAULT_FORBIDDEN";
  const at = (vault: string, name: string) => `${vault}/secrets/${name}`;
  const asked: readonly Asked[] = [
    { code, what: object.id, scope: at(resourceIds.vault, object.name), dataActions: secretActions },
    { code, what: "its staging secret", scope: at(resourceIds.staging, stagingName(key)), dataActions: stagingActions },
    ...boundConsumers(scene).map(({ kind, at }) => {
      const needs = kind.needs(at.consumer);
      return { ...needs, what: at.consumer.id, code: "CONSUMER_FORBIDDEN" } as const;
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
