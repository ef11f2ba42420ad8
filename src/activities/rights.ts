import { lacking, type Needs } from "../azure/permissions.ts";
import { type ErrorCode, PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import { stagingName } from "../vault/staging.ts";
import { boundConsumers } from "./consumers.ts";
import { demand } from "./credentials.ts";
import type { Scene } from "./step.ts";

const secretActions = ["getSecret/action", "setSecret/action", "update/action", "readMetadata/action"].map(
  (action) => `Microsoft.KeyVault/vaults/secrets/${action}`,
);

interface Asked extends Needs {
  readonly what: string;
  readonly code: ErrorCode;
}

/**
 * That everything which the rotation will write may be written, so that a missing role is found before anything changes. What Azure does
 * not tell is said in the proof, and shows when it is written. Refuses with `VAULT_FORBIDDEN` or `CONSUMER_FORBIDDEN` (propagation).
 */
export async function proveRights(scene: Scene): Promise<readonly Proof[]> {
  const { deps, subject, signal } = scene;
  const { object, key, resourceIds } = subject;
  const vault = { code: "VAULT_FORBIDDEN", dataActions: secretActions } as const;
  const asked: readonly Asked[] = [
    { ...vault, what: object.id, scope: `${resourceIds.vault}/secrets/${object.name}` },
    { ...vault, what: "its staging secret", scope: `${resourceIds.staging}/secrets/${stagingName(key)}` },
    ...boundConsumers(scene).map(({ kind, at }) => {
      const needs = kind.needs(at.consumer);
      return { ...needs, what: at.consumer.id, code: "CONSUMER_FORBIDDEN" } as const;
    }),
  ];
  const look = async ({ what, code, ...needs }: Asked) => {
    const missing = await lacking(deps.arm, needs, signal);
    const detail = missing === undefined ? "Azure does not tell" : missing.join(", ");
    return { proof: { name: `${what} may be written`, ok: !missing?.length, ...(detail && { detail }) }, code, needs };
  };
  const looks = await Promise.all(asked.map(look));
  return demand(
    looks.map(({ proof }) => proof),
    (failed) => {
      const { code = "VAULT_FORBIDDEN", needs } = looks.find(({ proof }) => proof === failed) ?? {};
      return new PinionError(
        code,
        `The app's identity lacks ${failed.detail ?? ""} at ${needs?.scope ?? ""}: assign it a role that has them; nothing was changed.`,
        { class: "propagation" },
      );
    },
  );
}
