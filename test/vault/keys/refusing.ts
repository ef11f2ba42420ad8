import { statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { testVault, vaultName } from "../support.ts";

export const sixteen = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`t${index}`, ""]));

/** Bodies that are wrong for every operation that takes attributes and tags. */
export const badRest: [string, object][] = [
  ["16 tags", { tags: sixteen }],
  ["a tag that is a number", { tags: { a: 1 } }],
  ["a long tag", { tags: { a: "x".repeat(257) } }],
  ["attributes in a string", { attributes: "enabled" }],
  ["enabled in words", { attributes: { enabled: "true" } }],
  ["half a second", { attributes: { exp: 1.5 } }],
  ["a date in words", { attributes: { nbf: "2026-01-01" } }],
  ["an exportable key", { attributes: { exportable: true } }],
  ["exportable in words", { attributes: { exportable: "no" } }],
  ["a release policy", { release_policy: { data: "" } }],
  ["a release policy in words", { release_policy: "none" }],
  ["key_ops in a string", { key_ops: "sign" }],
  ["an unknown operation", { key_ops: ["signify"] }],
  ["an operation in other letters", { key_ops: ["Sign"] }],
  ["an operation that is a number", { key_ops: [1] }],
  ["an operation for keys in an HSM", { key_ops: ["export"] }],
];

/** A vault, and a way to send it what it must refuse as a bad parameter, without a trace. */
export async function refusing() {
  const vault = await testVault();
  const size = () => statSync(join(vault.stateDir, `${vaultName}.journal`)).size;
  const refused = async (what: string, method: string, path: string, body: unknown) => {
    const before = size();
    const answer = await vault.ask(method, path, { body });
    expect([what, answer.status, answer.json?.error?.code, size() - before]).toEqual([what, 400, "BadParameter", 0]);
    return answer.json.error;
  };
  return { ...vault, refused };
}
