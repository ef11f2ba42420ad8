/** A JSON value as Bicep writes it, on one line. */
export function bicepLiteral(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(bicepLiteral).join(", ")}]`;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return `{ ${entries.map(([key, one]) => `${quoted(key)}: ${bicepLiteral(one)}`).join(", ")} }`;
}

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function quoted(text: string): string {
  const safe = text.replace(/[\\']/g, "\\$&").replaceAll("${", "\\${");
  return `'${safe.replace(/[\n\r\t]/g, (one) => escapes[one]!)}'`;
}
