import { z } from "zod";
import { fileShape, objectShape, type ManagedObject, type Policy, type Strategy, type Window } from "./policy.ts";
import { describeValue, expectation, faultsOf, pathText, type Path, type PolicyFault } from "./policy-faults.ts";
import { fleetRules, objectRules, type Broken, type Sketch } from "./policy-rules.ts";
import { vaultRules } from "./policy-vaults.ts";
import { formatDuration } from "./duration.ts";
import { placeOfFault } from "./json-place.ts";
import { windowFault, type WindowFault } from "./window.ts";

/** What reading a policy must know of the rotators. It does not import them. */
export interface RotatorFacts {
  /** The schema of a rotator's target, or undefined when there is no such rotator. */
  targetSchema(kind: string, strategy: Strategy): z.ZodType | undefined;
  /** What a change of this target touches: the lease key, or every account by itself where targets may overlap in part. */
  account(kind: string, strategy: Strategy, target: unknown): string | readonly string[];
  /** What kind of object it rotates. */
  manages?(kind: string, strategy: Strategy): ManagedObject["kind"];
  /** The least grace that its former credential needs, in milliseconds. */
  leastGrace?(kind: string, strategy: Strategy, target: unknown): number;
  /** Whether no consumer may follow the newest version. */
  pinnedOnly?(kind: string, strategy: Strategy): boolean;
  /** Each rotator as `kind (strategy)`, to say what there is. */
  readonly known?: readonly string[];
}

/** What came of a policy file. `policy` is undefined when a fault at its top (version, vaults, limits ...) stops all of it. */
export interface ParsedPolicy {
  readonly policy: Policy | undefined;
  /** In the order of the file. */
  readonly faults: readonly PolicyFault[];
}

// The objects are read one by one; here they only must be a list.
const topSchema = z.strictObject({ ...fileShape, objects: z.array(z.unknown()) });

// Each field with its key, so that a field that may be left out knows whether it was.
const fieldSchemas = Object.entries<z.ZodType>(objectShape).map(
  ([name, schema]) => [name, z.object({ [name]: schema })] as const,
);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** An object read as far as it goes, and the list that its faults are added to. */
type Read = Sketch & { readonly faults: PolicyFault[] };

function faultAt(at: number, id: string | undefined, { path, message, expected }: Broken): PolicyFault {
  return { path: pathText(["objects", at, ...path]), ...(id === undefined ? {} : { object: id }), message, expected };
}

/** Reads one object field by field, so that a fault in one does not hide those of the others. */
function readObject(json: unknown, at: number, rotators: RotatorFacts): Read {
  if (!isRecord(json)) {
    const fault = faultAt(at, undefined, { path: [], message: describeValue(json), expected: "an object" });
    return { at, id: undefined, fields: {}, accounts: [], faults: [fault] };
  }
  const base: Path = ["objects", at];
  const faults: PolicyFault[] = [];
  const given = objectShape.id.safeParse(json.id);
  const id = given.success ? given.data : undefined;
  const read: Record<string, unknown> = {};
  for (const [name, schema] of fieldSchemas) {
    const field = schema.safeParse(Object.hasOwn(json, name) ? { [name]: json[name] } : {}, { error: expectation });
    if (field.success) Object.assign(read, field.data);
    else faults.push(...faultsOf(field.error, json, base, id));
  }
  for (const name of Object.keys(json).filter((key) => !Object.hasOwn(objectShape, key))) {
    const expected = `one of ${Object.keys(objectShape).join(", ")}`;
    faults.push(faultAt(at, id, { path: [name], message: "is not known here", expected }));
  }
  const fields = read as Partial<ManagedObject>;
  if (fields.rotator === undefined) return { at, id, fields, accounts: [], faults };

  const { kind, strategy, target } = fields.rotator;
  const schema = rotators.targetSchema(kind, strategy);
  if (schema === undefined) {
    const message = `is ${JSON.stringify(kind)} with the strategy ${strategy}, which no rotator here serves`;
    const expected =
      rotators.known === undefined ? "a rotator that this version has" : `one of ${rotators.known.join(", ")}`;
    faults.push(faultAt(at, id, { path: ["rotator", "kind"], message, expected }));
    return { at, id, fields, accounts: [], faults };
  }
  const manages = rotators.manages?.(kind, strategy) ?? "secret";
  if (fields.kind !== undefined && manages !== fields.kind) {
    const message = `is ${JSON.stringify(kind)}, which rotates objects of kind ${manages}`;
    faults.push(faultAt(at, id, { path: ["rotator", "kind"], message, expected: `a rotator for a ${fields.kind}` }));
  }
  if (rotators.pinnedOnly?.(kind, strategy) === true)
    faults.push(...followersOf(fields).map((broken) => faultAt(at, id, broken)));
  const parsed = schema.safeParse(target, { error: expectation });
  if (!parsed.success) {
    faults.push(...faultsOf(parsed.error, target, [...base, "rotator", "target"], id));
    return { at, id, fields, accounts: [], faults };
  }
  const least = rotators.leastGrace?.(kind, strategy, parsed.data) ?? 0;
  const needed = least + Math.max(0, ...(fields.consumers ?? []).map(({ lag }) => lag));
  if (least > 0 && fields.grace !== undefined && fields.grace < needed) {
    const message = `is ${formatDuration(fields.grace)}; what the former credential gave out lives longer`;
    faults.push(faultAt(at, id, { path: ["grace"], message, expected: `at least ${formatDuration(needed)}` }));
  }
  const sound = { ...fields, rotator: { kind, strategy, target: parsed.data } };
  const accounts = [rotators.account(kind, strategy, parsed.data)].flat();
  return { at, id, fields: sound, accounts, faults };
}

/** The consumers that follow the newest version where nobody may. */
function followersOf({ rotator, consumers = [] }: Partial<ManagedObject>): Broken[] {
  return consumers.flatMap(({ reads }, place) =>
    reads === "pinned"
      ? []
      : [
          {
            path: ["consumers", place, "reads"],
            message: `is latest, but a new version is accepted nowhere until ${rotator?.kind} has published it`,
            expected: "pinned",
          },
        ],
  );
}

/** {@link windowFault}, each distinct window checked once: a fleet has many objects and few windows. */
function rememberedWindowCheck(): (window: Window, rotateBefore: number) => WindowFault | undefined {
  const known = new Map<string, WindowFault | undefined>();
  return (window, rotateBefore) => {
    const key = JSON.stringify([window, rotateBefore]);
    if (!known.has(key)) known.set(key, windowFault(window, rotateBefore));
    return known.get(key);
  };
}

/**
 * Reads a policy from parsed JSON. Every fault is reported at once. A fault in one object leaves that object out and the
 * others in; only a fault in what all objects stand on leaves no policy.
 */
export function parsePolicy(json: unknown, rotators: RotatorFacts): ParsedPolicy {
  const top = topSchema.safeParse(json, { error: expectation });
  const topFaults = top.success
    ? vaultRules(top.data.vaults).map(({ path, message, expected }) => ({ path: pathText(path), message, expected }))
    : faultsOf(top.error, json, [], undefined);

  const file = isRecord(json) ? json : {};
  const vaults = isRecord(file.vaults) ? Object.keys(file.vaults).filter((name) => name.length <= 63) : undefined;
  const objects = (Array.isArray(file.objects) ? file.objects : []).map((object: unknown, at) =>
    readObject(object, at, rotators),
  );
  const check = rememberedWindowCheck();
  for (const object of objects) {
    const faults = objectRules(object, vaults, check).map((broken) => faultAt(object.at, object.id, broken));
    // A part with a fault inside was not read; it is not missing.
    const isInside = (path: string) =>
      object.faults.some((one) => /^[.[]/.test(one.path.slice(path.length)) && one.path.startsWith(path));
    object.faults.push(...faults.filter(({ path }) => !isInside(path)));
  }
  for (const { sketch, broken } of fleetRules(objects))
    objects[sketch.at]?.faults.push(faultAt(sketch.at, sketch.id, broken));

  const faults = [...topFaults, ...objects.flatMap((object) => object.faults)];
  if (!top.success || topFaults.length > 0) return { policy: undefined, faults };
  const { $schema: _, ...rest } = top.data;
  const sound = objects.filter((object) => object.faults.length === 0);
  // Without a fault every field was read, so the sketch is whole.
  return {
    policy: { ...rest, objects: sound.map(({ fields }) => ({ mode: rest.mode, ...fields }) as ManagedObject) },
    faults,
  };
}

/** As {@link parsePolicy}, from the file's text. Text that is not JSON is one fault, which says where but shows nothing of it. */
export function parsePolicyText(text: string, rotators: RotatorFacts): ParsedPolicy {
  const bare = text.replace(/^\uFEFF/, "");
  let json: unknown;
  try {
    json = JSON.parse(bare);
  } catch {
    // V8's own sentence quotes the text around the fault.
    const { line, column } = placeOfFault(bare);
    const message = `is not JSON (line ${line} column ${column})`;
    return { policy: undefined, faults: [{ path: "", message, expected: "a JSON object without comments" }] };
  }
  return parsePolicy(json, rotators);
}
