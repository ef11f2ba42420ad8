import type { z } from "zod";

/** One fault of a policy file. `path` is the place in the file, as `objects[3].grace`; empty for the file as a whole. */
export interface PolicyFault {
  readonly path: string;
  /** The id of the object it stops, when it has a readable one; absent for faults that stop the whole file. */
  readonly object?: string;
  /** What is there. Never a text of more than 80 characters, nor one that could hold a password. */
  readonly message: string;
  readonly expected: string;
}

export type Path = readonly PropertyKey[];

const longest = 80;

/** A text as a fault may show it: short ones in quotes, long ones and URLs with a user name by their length only. */
function quote(text: string): string {
  if (text.length > longest || /:\/\/[^/]*@|(password|pwd|secret|key)\s*=/i.test(text))
    return `a text of ${text.length} characters`;
  return JSON.stringify(text);
}

/** Says what a value is: `is "P1Y"`, `is missing`, `is a list`. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "is missing";
  if (typeof value === "string") return `is ${quote(value)}`;
  if (Array.isArray(value)) return "is a list";
  return typeof value === "object" && value !== null ? "is an object" : `is ${JSON.stringify(value)}`;
}

/** A path as people write it: `vaults.orders.uri`, `objects[3].grace`, `vaults["my vault"]`. */
export function pathText(path: Path): string {
  let text = "";
  for (const part of path) {
    const name = String(part);
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[\w$-]{1,80}$/.test(name)) text += text === "" ? name : `.${name}`;
    else text += `[${name.length > longest ? `a name of ${name.length} characters` : JSON.stringify(name)}]`;
  }
  return text;
}

const words: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "an object",
  record: "an object",
};

const oneOf = (values: readonly unknown[]): string => {
  const texts = values.map((value) => (typeof value === "string" ? JSON.stringify(value) : String(value)));
  return texts.length === 1 ? (texts[0] ?? "") : `one of ${texts.join(", ")}`;
};

interface Limit {
  readonly origin: string;
  readonly inclusive?: boolean | undefined;
}

function bound({ origin, inclusive }: Limit, limit: number | bigint, side: "least" | "most"): string {
  const unit = { string: "character", array: "entry" }[origin];
  const counted =
    unit === undefined
      ? `${limit}`
      : `${limit} ${limit === 1 ? unit : unit.replace(/y$/, "ie")}${limit === 1 ? "" : "s"}`;
  return inclusive === false ? `${side === "least" ? "more" : "less"} than ${counted}` : `at ${side} ${counted}`;
}

/** The names that an object may have, when zod tells the schema it came from. */
function namesOf(schema: unknown): string {
  const shape = typeof schema === "object" && schema !== null && "shape" in schema ? schema.shape : undefined;
  return typeof shape === "object" && shape !== null
    ? `one of ${Object.keys(shape).join(", ")}`
    : "only the fields of the schema";
}

/** The `error` option of every parse: makes each issue's message say what was expected. A schema's own `error` goes first. */
export const expectation: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case "invalid_type":
      return words[issue.expected] ?? issue.expected;
    case "invalid_value":
      return oneOf(issue.values);
    case "too_small":
      return bound(issue, issue.minimum, "least");
    case "too_big":
      return bound(issue, issue.maximum, "most");
    case "invalid_format":
      return `a text of the form ${issue.format}`;
    case "unrecognized_keys":
      return namesOf(issue.inst);
    case "invalid_union":
      return "options" in issue && Array.isArray(issue.options) ? oneOf(issue.options) : "one of the allowed shapes";
    default:
      return undefined;
  }
};

/** The value at a path of parsed JSON, or undefined. */
function valueAt(json: unknown, path: Path): unknown {
  let value = json;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

/** Zod's issues for the value at `base`, as faults. */
export function faultsOf(error: z.ZodError, json: unknown, base: Path, object: string | undefined): PolicyFault[] {
  const owner = object === undefined ? {} : { object };
  return error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        path: pathText([...base, ...issue.path, key]),
        ...owner,
        message: "is not known here",
        expected: issue.message,
      }));
    }
    const path = pathText([...base, ...issue.path]);
    if (issue.code === "invalid_key") {
      const expected = issue.issues[0]?.message ?? issue.message;
      return [{ path, ...owner, message: "is not an allowed name", expected }];
    }
    return [{ path, ...owner, message: describeValue(valueAt(json, issue.path)), expected: issue.message }];
  });
}

/** All faults for a log or an HTTP reply, one a line: place, what is there, what was expected. */
export function describeFaults(faults: readonly PolicyFault[]): string {
  const line = ({ path, object, message, expected }: PolicyFault): string =>
    `- ${path === "" ? "the file" : path}${object === undefined ? "" : ` (${object})`} ${message}; expected ${expected}.`;
  return [`The policy has ${faults.length === 1 ? "1 fault" : `${faults.length} faults`}:`, ...faults.map(line)].join(
    "\n",
  );
}
