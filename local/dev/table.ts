/** An object as `GET /api/rotations` shows it, as far as the table needs it. */
export interface Seen {
  readonly id: string;
  readonly name: string;
  readonly report?: {
    readonly expiresAt?: string;
    readonly dueAt?: string;
    readonly notes: readonly string[];
  };
}

const headings = ["object", "expires", "due", "what the sweep says"] as const;

/** What the sweep saw, the most urgent first. `faults`: what it said of an object that it could not read. */
export function tableOf(objects: readonly Seen[], faults: ReadonlyMap<string, string>): readonly string[] {
  const due = ({ report }: Seen): string => report?.dueAt ?? "9999";
  const rows = [...objects]
    .sort((a, b) => due(a).localeCompare(due(b)) || a.name.localeCompare(b.name))
    .map(({ id, name, report }) => [
      name,
      dayOf(report?.expiresAt),
      dayOf(report?.dueAt),
      faults.get(id) ?? (report === undefined ? "not looked at" : report.notes.join("; ") || "nothing to do"),
    ]);
  const widths = headings.map((heading, at) => Math.max(heading.length, ...rows.map((row) => row[at]?.length ?? 0)));
  return [headings, ...rows].map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

const dayOf = (time: string | undefined): string => time?.slice(0, 10) ?? "-";
