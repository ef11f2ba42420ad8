import { findRotator, rotators } from "../../rotators/index.ts";
import { rotatorFacts } from "../../src/compose.ts";
import { PinionError } from "../../src/errors.ts";
import { placeOfFault } from "../../src/json-place.ts";
import { describeFaults } from "../../src/policy-faults.ts";
import { parsePolicy } from "../../src/policy-file.ts";
import type { Listed } from "./vault.ts";

/** A policy as JSON, which only observes. */
export interface Observing {
  readonly json: Readonly<Record<string, unknown>>;
  /** What is wrong with objects that are left out, as sentences; "" when nothing is. */
  readonly faults: string;
}

const facts = rotatorFacts({ rotators, find: findRotator });

/**
 * A policy of a vault's secrets, to see what is due. What opens them is not known, so each has a target that stands for one: it is good
 * for looking, and nothing can be rotated by it.
 */
export function policyOf(vault: string, resourceId: string, secrets: readonly Listed[]): Observing {
  const taken = new Set<string>();
  const objects = secrets.map(({ name }) => ({
    id: idOf(name, taken),
    vault: "dev",
    kind: "secret",
    name,
    validity: "P90D",
    grace: "P1D",
    rotator: {
      kind: "hmac-secret",
      strategy: "dual",
      target: { verifier: { secret: `${vault}/secrets/${name}`, format: "json-array" }, lag: "PT1M" },
    },
    consumers: [],
  }));
  return observing({ version: 1, vaults: { dev: { uri: vault, resourceId } }, objects });
}

/** A policy's objects in one vault, whatever modes the file has. */
export function restricted(text: string, vault: string): Observing {
  const file = parsed(text);
  const vaults = Object.entries((file["vaults"] ?? {}) as Readonly<Record<string, { readonly uri?: unknown }>>);
  const here = vaults.filter(([, { uri }]) => typeof uri === "string" && originOf(uri) === vault).map(([name]) => name);
  if (here.length === 0)
    throw new PinionError(
      "POLICY_INVALID",
      `The policy has no vault ${vault}: see "vaults" in it, or leave --policy out.`,
    );
  const objects = (file["objects"] ?? []) as readonly Readonly<Record<string, unknown>>[];
  return observing({
    ...file,
    objects: objects
      .filter((object) => here.includes(String(object["vault"])))
      .map((object) => ({ ...object, mode: "observe" })),
  });
}

function observing(file: Readonly<Record<string, unknown>>): Observing {
  const json = { ...file, mode: "observe" };
  const { policy, faults } = parsePolicy(json, facts);
  const described = faults.length === 0 ? "" : describeFaults(faults);
  if (policy === undefined) throw new PinionError("POLICY_INVALID", described);
  return { json, faults: described };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const json = JSON.parse(text) as unknown;
    if (typeof json === "object" && json !== null) return json as Readonly<Record<string, unknown>>;
  } catch {
    // The parser's own sentence quotes the file.
    const { line, column } = placeOfFault(text);
    throw new PinionError("POLICY_INVALID", `The policy is not JSON (line ${line} column ${column}).`);
  }
  throw new PinionError("POLICY_INVALID", "The policy is not a JSON object.");
}

const originOf = (uri: string): string => (URL.canParse(uri) ? new URL(uri).origin : "");

/** An id that the policy's schema takes; two names that differ in their ends only are told apart by a number. */
function idOf(name: string, taken: Set<string>): string {
  const short = name.toLowerCase().replace(/^-+/, "").slice(0, 63) || "secret";
  let id = short;
  for (let more = 2; taken.has(id); more += 1) id = `${short.slice(0, 58)}-${more}`;
  taken.add(id);
  return id;
}
