// Route templates as ASP.NET Core has them, as far as Functions use them:
// literal, {name}, {name?}, {name=default}, {name:int}, {*rest}, and literals around a parameter: v{major}.json
// https://learn.microsoft.com/aspnet/core/fundamentals/routing (constraints, precedence)

/** A compiled template. `match` takes a path without its leading slash, still URL-encoded; null when it does not fit. */
export interface Route {
  match(path: string): Readonly<Record<string, string>> | null;
  /** Of two routes that match, the one whose key sorts first wins. */
  readonly precedence: string;
}

const guid = /^[{(]?[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}[)}]?$/i;
const integer = (value: string, bits: number) =>
  /^[+-]?\d{1,19}$/.test(value) && BigInt.asIntN(bits, BigInt(value)) === BigInt(value);

const constraints: Readonly<Record<string, (value: string, argument: string) => boolean>> = {
  int: (value) => integer(value, 32),
  long: (value) => integer(value, 64),
  bool: (value) => /^(true|false)$/i.test(value),
  guid: (value) => guid.test(value),
  alpha: (value) => /^[a-z]*$/i.test(value),
  decimal: (value) => /^[+-]?(\d+\.?\d*|\.\d+)$/.test(value),
  double: (value) => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value),
  datetime: (value) => !Number.isNaN(Date.parse(value)),
  min: (value, least) => integer(value, 64) && BigInt(value) >= BigInt(least),
  max: (value, most) => integer(value, 64) && BigInt(value) <= BigInt(most),
  range: (value, ends) => {
    const [least, most] = ends.split(",").map((end) => BigInt(end.trim())) as [bigint, bigint];
    return integer(value, 64) && BigInt(value) >= least && BigInt(value) <= most;
  },
  length: (value, ends) => {
    const [least, most = least] = ends.split(",").map(Number) as [number, number?];
    return value.length >= least && value.length <= most;
  },
  minlength: (value, least) => value.length >= Number(least),
  maxlength: (value, most) => value.length <= Number(most),
  regex: (value, pattern) => new RegExp(pattern, "i").test(value),
};

interface Parameter {
  readonly name: string;
  readonly checks: readonly ((value: string) => boolean)[];
  readonly fallback: string | undefined;
}

/** Compiles a template. Throws on an unknown constraint, and on braces or slashes inside a constraint, which this host does not read. */
export function compileRoute(template: string): Route {
  const parameters: Parameter[] = [];
  const ranks: string[] = [];
  let source = "";
  const segments = template.split("/");
  for (const segment of segments) {
    if (segment === "") continue;
    const whole = /^\{(\*{0,2})([^{}]+)\}$/.exec(segment);
    const slash = source === "" ? "" : "/";
    if (!whole) {
      const parts = segment.split(/(\{[^{}]+\})/).filter(Boolean);
      const body = parts.map((part) => {
        if (/^[^{}]+$/.test(part)) return escapeLiteral(part);
        if (!/^\{[^{}]+\}$/.test(part)) throw new Error(`The route "${template}" has braces that do not match.`);
        parameters.push(parameter(part.slice(1, -1)));
        return "([^/]+?)";
      });
      source += slash + body.join("");
      ranks.push(parts.some((part) => part.startsWith("{")) ? "2" : "1");
      continue;
    }
    const added = parameter(whole[2]!);
    parameters.push(added);
    const constrained = added.checks.length > 0;
    if (whole[1]) {
      source += slash === "" ? "(.*)" : `(?:/(.*))?`;
      ranks.push(constrained ? "5" : "6");
    } else if (added.fallback !== undefined) {
      source += slash === "" ? "([^/]+)?" : `(?:/([^/]+))?`;
      ranks.push(constrained ? "3" : "4");
    } else {
      source += `${slash}([^/]+)`;
      ranks.push(constrained ? "3" : "4");
    }
  }
  const pattern = new RegExp(`^${source}/?$`, "i");
  return {
    precedence: ranks.join(""),
    match(path) {
      const found = pattern.exec(path);
      if (!found) return null;
      const values: Record<string, string> = {};
      for (const [index, { name, checks, fallback }] of parameters.entries()) {
        const raw = found[index + 1];
        if (raw === undefined || raw === "") {
          if (fallback) values[name] = fallback;
          continue;
        }
        const value = decode(raw);
        if (value === undefined || !checks.every((check) => check(value))) return null;
        values[name] = value;
      }
      return values;
    },
  };
}

/** `name`, `name?`, `name=default`, `name:constraint(argument):...`; a fallback of "" means optional. */
function parameter(text: string): Parameter {
  const optional = text.endsWith("?");
  const [head, fallback] = (optional ? text.slice(0, -1) : text).split(/=(.*)/s) as [string, string?];
  const [name, ...rest] = head.split(/:(?![^(]*\))/) as [string, ...string[]];
  const checks = rest.map((constraint) => {
    const [, kind = "", argument = ""] = /^(\w+)(?:\((.*)\))?$/s.exec(constraint) ?? [];
    const check = Object.hasOwn(constraints, kind.toLowerCase()) ? constraints[kind.toLowerCase()] : undefined;
    if (!check) throw new Error(`The route constraint "${constraint}" is not known.`);
    return (value: string) => check(value, argument);
  });
  return { name, checks, fallback: fallback ?? (optional ? "" : undefined) };
}

function escapeLiteral(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

/** Undefined when the escapes are broken. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
