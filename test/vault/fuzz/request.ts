import * as fc from "fast-check";
import { memberName, oddHeader, oddQuery, oddSegment, oddToken, oddValue, writeJson } from "./odd.ts";

// A request as it is to be sent, made of one that means something by changing a few things of it.

/**
 * A request with `@word(argument)` in the places of what only the run knows: `@version(secret)`, `@blob(key)`,
 * `@bent(key)`, `@skip()`, `@request()`, `@leaf(edits)`.
 */
export interface Draft {
  readonly method: string;
  /** Encoded. */
  readonly path: string;
  readonly query: string;
  /** A header value. */
  readonly authorization?: string | undefined;
  readonly headers: readonly (readonly [string, string])[];
  /** Bytes in latin1; undefined: no body at all. */
  readonly body?: string | undefined;
  /** Sends the body in chunks of so many bytes; absent: with its length. */
  readonly chunk?: number | undefined;
}

/** What a grammar makes: an operation with a body that is right, or nearly. */
export interface Meant {
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  readonly body?: unknown;
}

type Change<T> = (value: T) => T;
type Tree = { [name: string]: unknown } | unknown[];

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null;

/** Paths to all values in a JSON value, from the outside in. */
function places(value: unknown, here: readonly string[] = []): (readonly string[])[] {
  if (!isTree(value)) return [here];
  return [here, ...Object.entries(value).flatMap(([name, member]) => places(member, [...here, name]))];
}

/** The value with the member at `path` replaced by what `change` makes of it; undefined: removed. */
function changed(value: unknown, [name, ...rest]: readonly string[], change: Change<unknown>): unknown {
  if (name === undefined) return change(value);
  const member = changed((value as Record<string, unknown>)[name], rest, change);
  if (Array.isArray(value)) {
    const at = Number(name);
    return member === undefined ? value.toSpliced(at, 1) : value.with(at, member);
  }
  const others = Object.entries(value as object).filter(([one]) => one !== name);
  return Object.fromEntries(member === undefined ? others : [...others, [name, member]]);
}

/** Changes one value of a body, wherever it stands. */
const bodyChange: fc.Arbitrary<Change<unknown>> = fc
  .record({
    at: fc.nat({ max: 60 }),
    how: fc.constantFrom("replace", "replace", "replace", "remove", "wrap", "add", "rename", "repeat"),
    value: oddValue,
    name: memberName,
  })
  .map(({ at, how, value, name }) => (body) => {
    const all = places(body);
    const path = all[at % all.length]!;
    return changed(body, path, (old) => {
      if (how === "remove") return path.length > 0 ? undefined : {};
      if (how === "wrap") return [old];
      if (how === "repeat") return Array.from({ length: 16 }, () => old);
      if (!isTree(old) || Array.isArray(old) || how === "replace") return value;
      if (how === "add") return Object.fromEntries([...Object.entries(old), [name, value]]);
      return Object.fromEntries(Object.entries(old).map(([one, member], index) => [index === 0 ? name : one, member]));
    });
  });

const encodeAll = (text: string) =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

/** Changes the text of a body, in latin1. */
const textChange: fc.Arbitrary<Change<string | undefined>> = fc.oneof(
  fc.constantFrom<Change<string | undefined>>(
    () => undefined,
    () => "",
    () => "{",
    () => "null",
    () => "[]",
    () => '"text"',
    (text = "") => `\u00ef\u00bb\u00bf${text}`,
    (text = "") => `${text}}`,
    (text = "") => `${text}\0`,
    (text = "") => text.replace("{", '{"value":null,"value":{},"tags":1,'),
    (text = "") => text.replaceAll(":", " : ").replaceAll(",", "\t,\r\n"),
    (text = "") => Buffer.from(text, "utf16le").toString("latin1"),
    (text = "") => `${text}${" ".repeat(1_100_000)}`,
    () => "[".repeat(400_000),
    () => '{"a":'.repeat(200_000),
  ),
  fc.nat({ max: 400 }).map(
    (at): Change<string | undefined> =>
      (text = "") =>
        text.slice(0, at),
  ),
  fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })).map(
    ([at, byte]): Change<string | undefined> =>
      (text = "") =>
        `${text.slice(0, at)}${String.fromCharCode(byte)}${text.slice(at + 1)}`,
  ),
  fc.uint8Array({ maxLength: 60 }).map(
    (bytes): Change<string | undefined> =>
      () =>
        Buffer.from(bytes).toString("latin1"),
  ),
);

const segmentsOf = (path: string) => path.split("/").slice(1);
const join = (segments: readonly string[]) => `/${segments.join("/")}`;

const pathChange: fc.Arbitrary<Change<string>> = fc.oneof(
  fc.constantFrom<Change<string>>(
    (path) => `${path}/`,
    (path) => `/${path}`,
    (path) => path.replaceAll("/", "//"),
    (path) => path.toUpperCase(),
    (path) => join(segmentsOf(path).map(encodeAll)),
    (path) => join(segmentsOf(path).map((one) => encodeAll(encodeAll(one)))),
    (path) => path.slice(1),
    (path) => `http://elsewhere${path}`,
    (path) => `${path}#fragment`,
    (path) => `${path};a=b`,
    (path) => `/x/..${path}`,
    (path) => `/.${path}`,
    () => "*",
    () => "/",
    () => "",
  ),
  fc
    .tuple(fc.nat({ max: 5 }), oddSegment, fc.constantFrom(0, 1, 1))
    .map(([at, segment, gone]): Change<string> => (path) => {
      const segments = segmentsOf(path);
      return join(segments.toSpliced(at % (segments.length + 1), gone, segment));
    }),
  fc.nat({ max: 5 }).map(
    (at): Change<string> =>
      (path) =>
        join(segmentsOf(path).toSpliced(at % segmentsOf(path).length, 1)),
  ),
);

const methods = "GET PUT PATCH DELETE POST HEAD OPTIONS TRACE PROPFIND QUERY MKCOL CONNECT get FOO".split(" ");

/** One thing about a request that is not its JSON. */
const draftChange: fc.Arbitrary<Change<Draft>> = fc.oneof(
  {
    weight: 3,
    arbitrary: textChange.map((change): Change<Draft> => (one) => ({ ...one, body: change(one.body) })),
  },
  {
    weight: 3,
    arbitrary: pathChange.map((change): Change<Draft> => (one) => ({ ...one, path: change(one.path) })),
  },
  {
    weight: 3,
    arbitrary: oddQuery.map((query): Change<Draft> => (one) => ({ ...one, query })),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(...methods).map((method): Change<Draft> => (one) => ({ ...one, method })),
  },
  {
    weight: 1,
    arbitrary: oddToken.map((authorization): Change<Draft> => (one) => ({ ...one, authorization })),
  },
  {
    weight: 2,
    arbitrary: oddHeader.map((header): Change<Draft> => (one) => ({ ...one, headers: [...one.headers, header] })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1, 7, 4096).map((chunk): Change<Draft> => (one) => ({ ...one, chunk })),
  },
);

const toLatin1 = (text: string) => Buffer.from(text).toString("latin1");

/** Requests of the grammar: half as they are, the others with something changed. */
export function drafts(grammar: fc.Arbitrary<Meant>): fc.Arbitrary<Draft> {
  const bodyChanges = fc.oneof(
    { weight: 5, arbitrary: fc.constant<Change<unknown>[]>([]) },
    { weight: 4, arbitrary: fc.array(bodyChange, { minLength: 1, maxLength: 2 }) },
  );
  const draftChanges = fc.oneof(
    { weight: 6, arbitrary: fc.constant<Change<Draft>[]>([]) },
    { weight: 3, arbitrary: fc.array(draftChange, { minLength: 1, maxLength: 2 }) },
  );
  return fc
    .tuple(grammar, bodyChanges, draftChanges)
    .map(([{ method, path, query = "api-version=7.5", body }, inner, outer]) => {
      const value = body === undefined ? undefined : inner.reduce<unknown>((one, change) => change(one), body);
      const draft: Draft = {
        method,
        path,
        query,
        authorization: "Bearer t",
        headers: [],
        body: value === undefined ? undefined : toLatin1(writeJson(value)),
      };
      return path === "/tick" ? draft : outer.reduce((one, change) => change(one), draft);
    });
}

/** The bytes of a request. */
export function writeRequest({ method, path, query, authorization, headers, body, ...rest }: Draft): Buffer {
  const chunk = body === undefined ? undefined : rest.chunk;
  const length = chunk ? "Transfer-Encoding: chunked" : `Content-Length: ${body?.length ?? 0}`;
  const lines = [
    `${method} ${path}${query && "?"}${query} HTTP/1.1`,
    "Host: 127.0.0.1",
    ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
    ...(body === undefined ? [] : ["Content-Type: application/json", length]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${chunk ? chunks(body ?? "", chunk) : (body ?? "")}`, "latin1");
}

function chunks(body: string, size: number): string {
  // At most a few hundred, or the framing would be all that is tested.
  const step = Math.max(size, Math.ceil(body.length / 300));
  const pieces: string[] = [];
  for (let at = 0; at < body.length; at += step) {
    const piece = body.slice(at, at + step);
    pieces.push(`${piece.length.toString(16)}\r\n${piece}\r\n`);
  }
  return `${pieces.join("")}0\r\n\r\n`;
}

/** A request in a line, for whoever has to find out what it did. */
export const describe = ({ method, path, query, body, ...rest }: Draft): string =>
  `${method} ${path}?${query} ${JSON.stringify({ ...rest, body: body && body.length > 600 ? `${body.slice(0, 600)}... (${body.length})` : body })}`;
