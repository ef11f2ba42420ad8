import type { Finding, Level } from "./finding.ts";

const signs: Readonly<Record<Level, readonly [sign: string, colour: number]>> = {
  fault: ["✖", 31],
  warning: ["!", 33],
  unknown: ["?", 36],
  ok: ["✔", 32],
};
/** Worst first. */
const levels = Object.keys(signs) as readonly Level[];

/** An examination for people: by area, the worst first, a line each, and under it what to do. */
export function textOf(checks: readonly string[], findings: readonly Finding[], colours: boolean): string {
  const paint = (code: number, text: string) => (colours ? `\u001B[${code}m${text}\u001B[0m` : text);
  const lineOf = ({ level, subject, says, todo }: Finding): readonly string[] => {
    const [sign, colour] = signs[level];
    const head = subject === "" ? "" : `${paint(1, plain(subject))} `;
    const line = `  ${paint(colour, sign)} ${head}${plain(says)}`;
    return todo === undefined ? [line] : [line, `    ${paint(colour, "→")} ${plain(todo)}`];
  };
  const seen = findings.filter(({ after }) => after === undefined);
  const lines = [...Map.groupBy(seen, ({ area }) => area)].flatMap(([area, all]) => [
    paint(1, area),
    ...levels.flatMap((level) => all.filter((one) => one.level === level)).flatMap(lineOf),
    "",
  ]);
  const waiting = [...new Set(findings.filter(({ after }) => after !== undefined).map(({ check }) => check))];
  if (waiting.length > 0)
    lines.push(paint(2, `Not looked at until the faults above are gone: ${waiting.join(", ")}.`), "");
  return [...lines, sumOf(checks, findings)].join("\n");
}

/** How the checks ended, each by its worst finding. */
export function sumOf(checks: readonly string[], findings: readonly Finding[]): string {
  const worst = checks.map((id) => {
    const found = new Set(findings.filter(({ check }) => check === id).map(({ level }) => level));
    return levels.find((level) => found.has(level)) ?? "ok";
  });
  const count = (level: Level) => worst.filter((one) => one === level).length;
  const many = (level: Level) => `${count(level)} ${level}${count(level) === 1 ? "" : "s"}`;
  return `${checks.length} checks: ${count("ok")} ok, ${many("fault")}, ${many("warning")}, ${count("unknown")} unknown`;
}

/** Without control characters: names come from Azure, and a terminal obeys them. */
// oxlint-disable-next-line no-control-regex
const plain = (text: string): string => text.replaceAll(/[\u0000-\u001F\u007F-\u009F]+/g, " ");
