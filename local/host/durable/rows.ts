// How texts of any length fit table storage: 32,768 characters a property, 1 MiB an entity.

const perProperty = 32_000;
const inlineProperties = 6;
const overflowProperties = 14;

/** Properties of an entity beside its keys. */
export type Properties = Record<string, string | number>;

/** A text ready to be stored: properties for its row and, when it is too long for them, further rows. */
export interface Packed {
  readonly properties: Properties;
  /** To be stored before the row that holds `properties`: until that is there, nothing refers to them. */
  readonly overflow: readonly { readonly rowKey: string; readonly properties: Properties }[];
}

/** Packs a text under a property name. `tag` must be one that was never used in the partition. */
export function pack(name: string, text: string, tag: string): Packed {
  if (text.length <= perProperty * inlineProperties) {
    return { properties: { ...chunks(name, text), [`${name}Rows`]: "" }, overflow: [] };
  }
  const perRow = perProperty * overflowProperties;
  const overflow = slices(text, perRow).map((part, n) => ({
    rowKey: `x-${tag}-${name}-${String(n).padStart(6, "0")}`,
    properties: chunks("text", part),
  }));
  return {
    properties: { [`${name}Count`]: 0, [`${name}Rows`]: overflow.map(({ rowKey }) => rowKey).join(" ") },
    overflow,
  };
}

/** Puts a text together again. `rowOf` finds its further rows. */
export function unpack(
  name: string,
  row: Readonly<Record<string, unknown>>,
  rowOf: (key: string) => Readonly<Record<string, unknown>> | undefined,
): string {
  const rows = furtherRows(name, row);
  if (rows.length === 0) return joined(name, row);
  return rows
    .map((key) => {
      const found = rowOf(key);
      if (!found) throw new Error(`The row ${key} is missing from the store.`);
      return joined("text", found);
    })
    .join("");
}

/** The keys of the further rows that a row refers to. */
export function furtherRows(name: string, row: Readonly<Record<string, unknown>>): string[] {
  const keys = row[`${name}Rows`];
  return (typeof keys === "string" ? keys : "").split(" ").filter(Boolean);
}

function chunks(name: string, text: string): Properties {
  const parts = slices(text, perProperty);
  return { [`${name}Count`]: parts.length, ...Object.fromEntries(parts.map((part, n) => [`${name}${n}`, part])) };
}

function joined(name: string, row: Readonly<Record<string, unknown>>): string {
  return Array.from({ length: Number(row[`${name}Count`] ?? 0) }, (_, n) => String(row[`${name}${n}`])).join("");
}

function slices(text: string, length: number): string[] {
  return Array.from({ length: Math.ceil(text.length / length) }, (_, n) => text.slice(n * length, (n + 1) * length));
}

/** Instance ids may hold what keys may not. */
export function partitionOf(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_.:@-]/g, (char) => `!${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
