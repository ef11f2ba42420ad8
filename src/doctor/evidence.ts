import { z } from "zod";
import { hasContainer } from "../store/storage.ts";
import { accountId, accountName, type Immutability, immutability, readAccount } from "./account.ts";
import type { Context } from "./context.ts";
import { type Check, ok, type Said, warning } from "./finding.ts";
import { readArm } from "./read-arm.ts";
import { reach } from "./storage.ts";

/** A policy of the container by itself. */
const schema = z.object({
  properties: z.object({ immutabilityPolicy: z.object({ properties: immutability }).nullish() }),
});

/** That evidence has its place, and that nobody can take it away again. */
export const evidence: Check<Context> = {
  id: "evidence",
  area: "Storage",
  about: "the container of evidence is there, and an immutability policy keeps what is in it",
  needs: ["settings", "identity"],
  async run(context, signal) {
    const { storage } = context;
    const kept = context.config.evidence;
    const name = `container ${storage.evidence.containerName}`;
    const bad = await reach(name, accountName(kept), "the role evidence of infra/roles.json", () =>
      hasContainer(storage.evidence),
    );
    if (bad !== undefined) return [bad];
    const there = ok(name, `is in ${accountName(kept)}`);
    const account = await readAccount(context, kept, signal);
    if (account === undefined) return [there];
    const { enabled, immutabilityPolicy } = account.immutableStorageWithVersioning ?? {};
    if (enabled === true && immutabilityPolicy) return [judge(name, immutabilityPolicy)];
    const path = `${accountId(context, kept)}/blobServices/default/containers/${storage.evidence.containerName}`;
    const found = await readArm(context, path, "2024-01-01", schema, signal);
    return [judge(name, found?.properties.immutabilityPolicy?.properties)];
  },
};

function judge(name: string, policy: Immutability | undefined): Said {
  const { state, immutabilityPeriodSinceCreationInDays: days } = policy ?? {};
  if (!days)
    return warning(
      name,
      "has no immutability policy: evidence can be deleted or changed",
      "Deploy infra/main.bicep, which makes one; lock it in production with infra/lock-evidence.bicep.",
    );
  return ok(
    name,
    state === "Locked"
      ? `keeps evidence for ${days} days, locked`
      : `keeps evidence for ${days} days, not locked (infra/lock-evidence.bicep locks it)`,
  );
}
