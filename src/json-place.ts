const blank = /[ \t\n\r]*/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
/** A string without its last quote: where this stops, that is due. */
const text = /"(?:[ !#-[\]-\u{10FFFF}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/uy;

/**
 * Where text stops being JSON: line and column, from 1, of the first character that cannot stand there (of a wrong escape its
 * backslash, of a wrong word its beginning), or of the end where more is due. V8 tells the place of some faults only, and quotes the
 * text around the others.
 */
export function placeOfFault(json: string): { readonly line: number; readonly column: number } {
  const before = json.slice(0, faultIn(json)).split(/\r\n|\r|\n/);
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function faultIn(json: string): number {
  const closers: string[] = [];
  let at = 0;
  const match = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.test(json);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const take = (mark: string | undefined): boolean => {
    const found = mark !== undefined && json[at] === mark;
    if (found) at += 1;
    return found;
  };
  const string = (): boolean => match(text) && take('"');

  // Each turn reads what a value begins with, what closes behind it, and the way to the next value.
  for (;;) {
    match(blank);
    const closer = take("{") ? "}" : take("[") ? "]" : undefined;
    if (closer !== undefined) closers.push(closer);
    else if (!(json[at] === '"' ? string() : match(scalar))) return at;
    let ended = closer === undefined;
    for (match(blank); take(closers.at(-1)); match(blank)) {
      closers.pop();
      ended = true;
    }
    if (ended && !(closers.length > 0 && take(","))) return at;
    if (closers.at(-1) !== "}") continue;
    match(blank);
    if (!string()) return at;
    match(blank);
    if (!take(":")) return at;
  }
}
