import { z } from "zod";
import { hasContainer } from "../store/storage.ts";
import { accountId, accountName } from "./account.ts";
import type { Context } from "./context.ts";
import { type Check, ok, type Said, warning } from "./finding.ts";
import { readArm } from "./read-arm.ts";
import { reach } from "./storage.ts";

const schema = z.object({
  properties: z.object({
    hasImmutabilityPolicy: z.boolean().nullish(),
    immutabilityPolicy: z
      .object({
        properties: z.object({
          state: z.string().nullish(),
          immutabilityPeriodSinceCreationInDays: z.number().nullish(),
        }),
      })
      .nullish(),
    immutableStorageWithVersioning: z.object({ enabled: z.boolean().nullish() }).nullish(),
  }),
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
    const id = accountId(context, kept);
    if (id === undefined) return [ok(name, `is in ${accountName(kept)}`)];
    const path = `${id}/blobServices/default/containers/${storage.evidence.containerName}`;
    const found = (await readArm(context, path, "2024-01-01", schema, signal))?.properties;
    if (found === undefined) return [ok(name, `is in ${accountName(kept)}`)];
    return [judge(name, found)];
  },
};

function judge(
  name: string,
  { hasImmutabilityPolicy, immutabilityPolicy, immutableStorageWithVersioning }: z.output<typeof schema>["properties"],
): Said {
  const { state, immutabilityPeriodSinceCreationInDays: days } = immutabilityPolicy?.properties ?? {};
  if (immutableStorageWithVersioning?.enabled === true) return ok(name, "keeps every version of a blob");
  if (hasImmutabilityPolicy !== true)
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
