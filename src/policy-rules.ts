import { formatDuration, type Milliseconds } from "./duration.ts";
import { declaresUser } from "./format.ts";
import type { ManagedObject, Window } from "./policy.ts";
import { claimOf, readable } from "./policy-consumers.ts";
import type { Path } from "./policy-faults.ts";
import type { WindowFault } from "./window.ts";

/** An object as far as its fields are sound, so that every rule whose fields are there can speak. `at` is its place in the list. */
export interface Sketch {
  readonly at: number;
  readonly id: string | undefined;
  readonly fields: Partial<ManagedObject>;
  /** What its rotator's change touches; none while its target is not sound. */
  readonly accounts: readonly string[];
}

/** What a broken rule reports; `path` starts at the object, or at the file for rules about vaults. */
export interface Broken {
  readonly path: Path;
  readonly message: string;
  readonly expected: string;
}

const day = 86_400_000;

/** Event Grid tells of a secret's near expiry 30 days before it, fixed; a day more covers its delay. */
const nearExpiry = 31 * day;
const margin = day;

function rotatorRules({ rotator, format, acceptGap }: Partial<ManagedObject>): Broken[] {
  const broken: Broken[] = [];
  if (rotator?.strategy === "alternating" && format !== undefined && !declaresUser(format)) {
    const path = format.type === "json" || format.type === "connection-string" ? ["format", "username"] : ["format"];
    const message = "carries no user name, but the alternating strategy changes it with the password";
    broken.push({
      path,
      message,
      expected:
        "a format with a user name: json or connection-string with username, url, or a template with {username}",
    });
  }
  if (rotator?.strategy === "in-place" && acceptGap === false) {
    broken.push({
      path: ["acceptGap"],
      message: "is not true, but the in-place strategy has a moment in which no credential works",
      expected: "true, or a strategy without a gap",
    });
  }
  return broken;
}

/** What a kind of object needs, and what only another kind has. */
function kindRules({
  kind,
  certificate,
  consumers,
  rollback,
  disableOld,
  format,
  endpoints,
  issueWithin,
  rotateBefore,
}: Partial<ManagedObject>): Broken[] {
  const broken: Broken[] = [];
  const add = (path: Path, message: string, expected: string): void => void broken.push({ path, message, expected });
  if (kind === "certificate" && certificate === undefined)
    add(["certificate"], "is missing, but the object is a certificate", "at least {names: [...]}");
  if (kind !== undefined && kind !== "certificate" && certificate !== undefined)
    add(["certificate"], `is there, but the object is a ${kind}`, "no such part");
  if (kind !== undefined && kind !== "secret" && format !== undefined && format.type !== "plain")
    add(["format"], `is ${format.type}, but nothing is written into a ${kind}`, "no format");
  if (kind !== undefined && kind !== "key" && disableOld === true)
    add(["disableOld"], `is true, but the object is a ${kind}`, "false, or a key");
  if (kind !== undefined && kind !== "certificate" && endpoints !== undefined && endpoints.length > 0)
    add(["endpoints"], `are there, but the object is a ${kind}`, "none, or a certificate");
  if (issueWithin !== undefined && rotateBefore !== undefined && issueWithin >= rotateBefore) {
    add(
      ["issueWithin"],
      `is ${formatDuration(issueWithin)}, and the version in use ends before that`,
      `less than rotateBefore, ${formatDuration(rotateBefore)}`,
    );
  }
  const follower = consumers?.findIndex(({ reads }) => reads === "latest") ?? -1;
  const inVault = kind === "key" || (kind === "certificate" && certificate?.exportable === false);
  if (inVault && follower >= 0 && rollback === "pin") {
    add(
      ["consumers", follower, "reads"],
      "is latest, but the vault itself makes the newest version, which cannot be turned back",
      'pinned, or the object\'s rollback set to "reissue"',
    );
  }
  return broken;
}

function timeRules(fields: Partial<ManagedObject>): Broken[] {
  const { kind, validity, rotateBefore, grace, consumers, suspend, retry } = fields;
  const broken: Broken[] = [];
  const add = (path: Path, message: string, expected: string): void => void broken.push({ path, message, expected });
  const text: (duration: Milliseconds) => string = formatDuration;

  // A CA decides how long its certificates live, and some live for days.
  if (kind !== "certificate" && validity !== undefined && validity <= nearExpiry) {
    add(
      ["validity"],
      `is ${text(validity)}; Key Vault says near expiry 30 days before it, so each new version would ask for the next rotation at once`,
      `more than ${text(nearExpiry)}`,
    );
  } else if (
    validity !== undefined &&
    rotateBefore !== undefined &&
    grace !== undefined &&
    rotateBefore + grace + margin >= validity
  ) {
    add(
      ["rotateBefore"],
      `is ${text(rotateBefore)}; with a grace of ${text(grace)} and a day to spare, a rotation would be due before the one before it has ended`,
      `less than ${text(Math.max(0, validity - grace - margin))} for a validity of ${text(validity)}`,
    );
  }
  const slowest = consumers?.reduce<ManagedObject["consumers"][number] | undefined>(
    (slow, consumer) => (slow === undefined || consumer.lag > slow.lag ? consumer : slow),
    undefined,
  );
  if (grace !== undefined && slowest !== undefined && grace < slowest.lag) {
    add(
      ["grace"],
      `is ${text(grace)}; the consumer ${slowest.id} may use the old value for ${text(slowest.lag)}`,
      `at least ${text(slowest.lag)}`,
    );
  }
  if (
    grace !== undefined &&
    suspend !== undefined &&
    rotateBefore !== undefined &&
    grace + suspend.watch + suspend.idleFor > rotateBefore
  ) {
    const room = Math.max(0, rotateBefore - suspend.watch - suspend.idleFor);
    add(
      ["grace"],
      `is ${text(grace)}; with suspend's watch and idleFor the old credential would outlive its own expiry`,
      `at most ${text(room)} for a rotateBefore of ${text(rotateBefore)}`,
    );
  }
  if (retry !== undefined && retry.backoff > retry.maxBackoff) {
    add(["retry", "maxBackoff"], `is ${text(retry.maxBackoff)}`, `at least the backoff, ${text(retry.backoff)}`);
  }
  return broken;
}

/** Rules within one object. `check` tells what is wrong with a window (injected: it is costly, so the caller remembers it). */
export function objectRules(
  { fields }: Sketch,
  vaults: readonly string[] | undefined,
  check: (window: Window, rotateBefore: Milliseconds) => WindowFault | undefined,
): Broken[] {
  const broken = [...rotatorRules(fields), ...kindRules(fields), ...timeRules(fields)];
  if (fields.vault !== undefined && vaults !== undefined && !vaults.includes(fields.vault)) {
    const expected =
      vaults.length === 0 ? "a vault declared in vaults" : `a vault declared in vaults: ${vaults.join(", ")}`;
    broken.push({ path: ["vault"], message: `is ${JSON.stringify(fields.vault)}, which is not declared`, expected });
  }
  if (fields.window !== undefined && fields.rotateBefore !== undefined) {
    const fault = check(fields.window, fields.rotateBefore);
    if (fault !== undefined) broken.push({ ...fault, path: ["window", fault.field] });
  }
  for (const [at, { kind }] of (fields.consumers ?? []).entries()) {
    if (fields.kind === undefined || readable[kind].includes(fields.kind)) continue;
    broken.push({
      path: ["consumers", at, "kind"],
      message: `is ${JSON.stringify(kind)}, which cannot read a ${fields.kind}`,
      expected: `a kind of consumer that reads a ${fields.kind}`,
    });
  }
  const ids = fields.consumers?.map((consumer) => consumer.id) ?? [];
  for (const [at, id] of ids.entries()) {
    if (ids.indexOf(id) === at) continue;
    broken.push({
      path: ["consumers", at, "id"],
      message: `is ${JSON.stringify(id)}, as that of an earlier consumer`,
      expected: "an id of its own",
    });
  }
  return broken;
}

/** A place in the file at which an object claims something for itself. */
interface Claim {
  readonly sketch: Sketch;
  readonly path: Path;
  /** What is claimed, in words for the fault. */
  readonly what: string;
}

const nameOf = ({ id, at }: Sketch): string => id ?? `objects[${at}]`;

function claimsOf(sketch: Sketch): (Claim & { readonly key: string })[] {
  const { id, vault, kind, name, consumers } = sketch.fields;
  const claims: (Claim & { key: string })[] = [];
  // Key Vault and ARM compare names without case.
  const add = (path: Path, what: string, ...key: (string | undefined)[]): void =>
    void claims.push({ sketch, path, what, key: key.join("\n").toLowerCase() });
  if (id !== undefined) add(["id"], `the id ${id}`, "id", id);
  if (vault !== undefined && kind !== undefined && name !== undefined)
    add(["name"], `the ${kind} ${name} in the vault ${vault}`, "name", vault, kind, name);
  for (const [at, consumer] of (consumers ?? []).entries()) {
    const claim = claimOf(consumer.kind, consumer);
    if (claim !== undefined) add(["consumers", at, claim.field], claim.what, ...claim.key);
  }
  return claims;
}

/**
 * Rules between objects. Two that claim the same thing contradict one another, and nothing says which is meant, so neither
 * runs. The same holds for two objects on one account, unless each names the other in `pairedWith`.
 */
export function fleetRules(sketches: readonly Sketch[]): { sketch: Sketch; broken: Broken }[] {
  const found: { sketch: Sketch; broken: Broken }[] = [];
  const add = (sketch: Sketch, path: Path, message: string, expected: string): void =>
    void found.push({ sketch, broken: { path, message, expected } });

  for (const claims of Map.groupBy(sketches.flatMap(claimsOf), (claim) => claim.key).values()) {
    for (const [at, { sketch, path, what }] of claims.entries()) {
      const other = claims[at === 0 ? 1 : 0];
      if (other === undefined) continue;
      const owner = other.sketch === sketch ? "twice" : `also by objects[${other.sketch.at}]`;
      add(sketch, path, `claims ${what}, which is claimed ${owner}`, "each to be declared once");
    }
  }

  const byId = new Map(sketches.flatMap((sketch) => (sketch.id === undefined ? [] : [[sketch.id, sketch] as const])));
  const names = (one: Sketch, other: Sketch): boolean =>
    other.id !== undefined && one.fields.pairedWith?.includes(other.id) === true;
  const shares = (one: Sketch, other: Sketch): boolean =>
    one.accounts.some((account) => other.accounts.includes(account));
  for (const sketch of sketches) {
    for (const [at, id] of (sketch.fields.pairedWith ?? []).entries()) {
      const other = byId.get(id);
      const path = ["pairedWith", at];
      if (other === undefined || other === sketch)
        add(sketch, path, `is ${JSON.stringify(id)}`, "the id of another object");
      else if (!names(other, sketch))
        add(
          sketch,
          path,
          `is ${JSON.stringify(id)}, which does not name this object back`,
          "two objects that name each other",
        );
      else if (sketch.accounts.length > 0 && other.accounts.length > 0 && !shares(sketch, other)) {
        add(sketch, path, `is ${JSON.stringify(id)}, which is on another account`, "an object on the same account");
      }
    }
  }
  const users = Map.groupBy(
    sketches.flatMap((sketch) => sketch.accounts.map((account) => ({ sketch, account }))),
    ({ account }) => account,
  );
  for (const sketch of sketches) {
    const sharers = new Set(sketch.accounts.flatMap((account) => users.get(account) ?? []).map((user) => user.sketch));
    const other = [...sharers].find((sharer) => sharer !== sketch && !(names(sketch, sharer) && names(sharer, sketch)));
    if (other === undefined) continue;
    add(
      sketch,
      ["rotator", "target"],
      `is on the same account as ${nameOf(other)}: a rotation of one would break the other`,
      "an account of its own, or the two objects naming each other in pairedWith",
    );
  }
  return found;
}
