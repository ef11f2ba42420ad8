import type { PolicyVault } from "./policy.ts";
import type { Broken } from "./policy-rules.ts";

/** Rules about vaults. A fault here stops the whole file: every object stands on its vault. */
export function vaultRules(vaults: Readonly<Record<string, PolicyVault>>): Broken[] {
  const broken: Broken[] = [];
  const entries = Object.entries(vaults);
  for (const [name, { uri, resourceId, staging, identity }] of entries) {
    const add = (field: string, message: string, expected: string): void =>
      void broken.push({ path: ["vaults", name, field], message, expected });
    // A vault's DNS name is its ARM name; a loopback address says nothing.
    const host = /^([^.]+)\.vault\./.exec(new URL(uri).hostname)?.[1];
    const armName = resourceId.split("/").at(-1)?.toLowerCase();
    if (host !== undefined && host !== armName)
      add("resourceId", `names another vault than uri (${host})`, "the resource id of that vault");
    if (staging !== undefined && (staging === name || !entries.some(([other]) => other === staging))) {
      add("staging", `is ${JSON.stringify(staging)}`, "the name of another vault declared in vaults");
    }
    // A staging vault is worked in by the identity of the vault that stages there: of two zones, each could read the other's candidates.
    const stranger = entries.find(
      ([other, vault]) =>
        vault.identity !== identity &&
        ((other === staging && vault.identity !== undefined) || (staging !== undefined && vault.staging === staging)),
    );
    if (stranger !== undefined)
      add(
        "staging",
        `is shared with ${stranger[0]}, which has another identity`,
        "a staging vault of this identity alone",
      );
    const twin = entries.find(([other, vault]) => other !== name && vault.uri === uri);
    if (twin !== undefined) add("uri", `is the same as that of ${twin[0]}`, "each vault declared once");
  }
  return broken;
}
