import { PinionError } from "./errors.ts";
import type { Format } from "./policy.ts";

/** What a value carries. Lives in memory inside one activity only. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

/** Where a part stands in a text (with its quotes), and what it says. */
interface Place {
  readonly start: number;
  readonly end: number;
  readonly value: string;
}

/** Where both parts stand. Undefined: the text does not have that part. The rest of the text is never touched, so it is kept as it is. */
interface Layout {
  readonly username: Place | undefined;
  readonly password: Place | undefined;
}

/** Which fields hold the parts. */
interface Names {
  readonly username?: string;
  readonly password: string;
}

function malformed(problem: string): PinionError {
  const advice = "Correct the secret, or its format in the policy.";
  return new PinionError("SECRET_MALFORMED", `The value is not in its declared format: ${problem}. ${advice}`);
}

/** The places of two top-level fields of a JSON object. */
function jsonLayout(text: string, { username, password }: Names): Layout {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw malformed("it is not JSON");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw malformed("it is not a JSON object");
  const names = new Set<string>();
  const found = new Map<string, Place>();
  let depth = 0;
  let name: string | undefined;
  // The text is valid JSON, so strings, brackets and commas are all that has to be told apart.
  for (const { 0: token, index: start } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],]/g)) {
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") depth--;
    if (depth === 1 && token === ",") name = undefined;
    if (depth !== 1 || !token.startsWith('"')) continue;
    const value = JSON.parse(token) as string;
    if (name !== undefined) found.set(name, { start, end: start + token.length, value });
    else {
      name = value;
      // Readers differ in which of two they take.
      if (names.has(name) && (name === username || name === password))
        throw malformed("it has a field of the login twice");
      names.add(name);
    }
  }
  return { username: username === undefined ? undefined : found.get(username), password: found.get(password) };
}

/** scheme://user:password@anything. What follows is not parsed, so lists of hosts and unknown schemes are fine. */
function urlLayout(text: string): Layout {
  // One @ only: with two, readers differ in where the password ends.
  const found = /^([A-Za-z][A-Za-z0-9+.-]*:\/\/)([^/?#@:]*)(?::([^/?#@]*))?@(?=[^/?#@]*(?:[/?#]|$))/.exec(text);
  if (found === null) throw malformed("it is not a URL of the form scheme://user:password@host, percent-encoded");
  const [, { length: start } = "", user = "", password] = found;
  const place = (at: number, raw: string): Place => {
    try {
      return { start: at, end: at + raw.length, value: decodeURIComponent(raw) };
    } catch {
      throw malformed("its user name or password is not percent-encoded");
    }
  };
  return {
    username: place(start, user),
    password: password === undefined ? undefined : place(start + user.length + 1, password),
  };
}

// Key, =, and a value in double quotes, in single quotes, or bare. A doubled quote inside quotes, and a doubled = in a key, stand
// for one. The rules are those of .NET's DbConnectionOptions, which the drivers for SQL Server, PostgreSQL and MySQL share.
const pair =
  /[\s;]*(?:$|([^\s=;](?:[^=;]|==)*)=(?!=)\s*(?:"((?:[^"]|"")*)"\s*|'((?:[^']|'')*)'\s*|((?![\s"'])[^;]*))(?:;|$))/dgy;

/** The places of two keys of key=value;... */
function connectionStringLayout(text: string, { username, password }: Names): Layout {
  const found = new Map<string, Place>();
  const [user, secret] = [username?.toLowerCase(), password.toLowerCase()];
  let read = 0;
  for (const match of text.matchAll(pair)) {
    read = match.index + match[0].length;
    const [, key, double, single, bare] = match;
    const span = match.indices?.[2] ?? match.indices?.[3] ?? match.indices?.[4];
    if (key === undefined || span === undefined) continue;
    const name = key.trimEnd().replaceAll("==", "=").toLowerCase();
    if (name !== user && name !== secret) continue;
    if (found.has(name)) throw malformed("it has a key of the login twice");
    const quote = bare === undefined ? 1 : 0;
    const value = double?.replaceAll('""', '"') ?? single?.replaceAll("''", "'") ?? bare?.trimEnd() ?? "";
    const end = bare === undefined ? span[1] + quote : span[0] + value.length;
    found.set(name, { start: span[0] - quote, end, value });
  }
  if (read !== text.length) throw malformed("it is not key=value pairs separated by semicolons");
  return { username: user === undefined ? undefined : found.get(user), password: found.get(secret) };
}

/** The places in a text that a template describes whole. */
function templateLayout(text: string, template: string): Layout {
  const source = template
    .split(/(\{username\}|\{password\})/)
    .map((part) =>
      /^\{(?:username|password)\}$/.test(part)
        ? `(?<${part.slice(1, -1)}>[^]+?)`
        : part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"),
    )
    .join("");
  const spans = new RegExp(`^${source}$`, "d").exec(text)?.indices?.groups;
  if (spans === undefined) throw malformed("it does not fit the template");
  const place = (span: readonly [number, number] | undefined): Place | undefined =>
    span && { start: span[0], end: span[1], value: text.slice(...span) };
  return { username: place(spans.username), password: place(spans.password) };
}

function layoutOf(format: Format, text: string): Layout {
  if (format.type === "plain") return { username: undefined, password: { start: 0, end: text.length, value: text } };
  if (format.type === "json") return jsonLayout(text, format);
  if (format.type === "url") return urlLayout(text);
  if (format.type === "connection-string") return connectionStringLayout(text, format);
  return templateLayout(text, format.template);
}

/** How a part is written in its place. */
function encode({ type }: Format, value: string): string {
  if (type === "json") return JSON.stringify(value);
  if (type === "url") {
    // encodeURIComponent leaves five marks that some readers of URLs trip over.
    return encodeURIComponent(value).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  }
  const bare = type !== "connection-string" || (value !== "" && !/[;\p{Cc}]|^[\s"'=]|[\s"']$/u.test(value));
  return bare ? value : `"${value.replaceAll('"', '""')}"`;
}

/** Whether a value of this format carries the user name beside the password. */
export const declaresUser = (format: Format): boolean =>
  format.type === "url" ||
  (format.type === "template" && format.template.includes("{username}")) ||
  ((format.type === "json" || format.type === "connection-string") && format.username !== undefined);

/**
 * Reads the login that a value carries. `fallbackUsername` serves formats that carry the password alone.
 * Throws PinionError SECRET_MALFORMED, whose text holds nothing of the value.
 */
export function readValue(format: Format, text: string, fallbackUsername?: string): Login {
  const found = layoutOf(format, text);
  const password = found.password?.value ?? "";
  if (password === "") throw malformed("it has no password");
  const username = (declaresUser(format) ? found.username?.value : fallbackUsername) ?? "";
  if (username === "") throw malformed("it has no user name");
  return { username, password };
}

/**
 * The text with another login in it: everything else stays as it is, to the letter. `text` is the current value.
 * Throws PinionError SECRET_MALFORMED when the text is malformed, or when the format cannot carry this login.
 */
export function writeValue(format: Format, text: string, login: Login): string {
  const carry = new PinionError(
    "SECRET_MALFORMED",
    `The format ${format.type} cannot carry the new login: it would read back as another. Choose another format in the policy.`,
  );
  // Half a surrogate pair is no text: it is lost or refused on its way to the vault.
  if (!login.username.isWellFormed() || !login.password.isWellFormed()) throw carry;
  const old = layoutOf(format, text);
  readValue(format, text, login.username);
  const places = [
    { place: old.username, value: login.username },
    { place: old.password, value: login.password },
  ];
  let next = text;
  // From the end, so that the places before stay where they are.
  for (const { place, value } of places.sort((a, b) => (b.place?.start ?? 0) - (a.place?.start ?? 0))) {
    if (place !== undefined) next = next.slice(0, place.start) + encode(format, value) + next.slice(place.end);
  }
  const back = readValue(format, next, login.username);
  if (back.username !== login.username || back.password !== login.password) throw carry;
  return next;
}
