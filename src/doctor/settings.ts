import { settingNames } from "../config.ts";
import type { Context } from "./context.ts";
import { type Check, fault, ok, type Said, stop, warning } from "./finding.ts";

/** Forms that carry an account key or a signature. */
const withKey = /(^|;)\s*(AccountKey|SharedAccessSignature)\s*=/i;
/** An account on this machine, whose key opens nothing else. */
function isLocal(value: string): boolean {
  const endpoints = [...value.matchAll(/Endpoint=([^;]+)/gi)].map(([, url = ""]) => url);
  return (
    endpoints.length > 0 && endpoints.every((url) => /^https?:\/\/(127(\.\d+){3}|localhost|\[::1\])[:/]/i.test(url))
  );
}

/** Every fault of the settings, a setting that nobody reads, and an account key among them. */
export const settings: Check<Context> = {
  id: "settings",
  area: "Settings",
  about: "the app settings are whole, spelt right, and hold no key",
  async run({ env, faults }) {
    const said = faults.map((text): Said => {
      const [name = "", ...rest] = text.split(": ");
      return stop(name, rest.join(": ") || "cannot be used", `Correct ${name}; docs/settings.md explains it.`);
    });
    for (const name of Object.keys(env)) {
      const meant = misspelt(name);
      if (meant !== undefined)
        said.push(warning(name, "is a setting that nothing reads", `Write ${meant}, or remove it.`));
    }
    for (const name of ["AzureWebJobsStorage", "PINION_STORAGE", "PINION_EVIDENCE"]) {
      const value = env[name] ?? "";
      if (!withKey.test(value) || isLocal(value)) continue;
      said.push(
        fault(
          name,
          "holds an account key",
          `Put ${name}__accountName in its place, give the app's identity its storage roles, and switch shared keys off.`,
        ),
      );
    }
    return said.length > 0 ? said : [ok("settings", "are whole")];
  },
};

/** The setting that a name is nearly, when it is none itself. Other names are somebody else's. */
function misspelt(name: string): string | undefined {
  const [base = "", ...part] = name.split("__");
  if (known.has(base)) return undefined;
  const meant = settingNames.find((one) => distance(base, one) <= 2);
  return meant && [meant, ...part].join("__");
}

const known = new Set<string>(settingNames);

/** How many letters have to be changed, added or left out (Levenshtein), without regard to case. */
function distance(one: string, other: string): number {
  const [a, b] = [one.toUpperCase(), other.toUpperCase()];
  if (Math.abs(a.length - b.length) > 2) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let y = 1; y <= a.length; y += 1) {
    const next = [y];
    for (let x = 1; x <= b.length; x += 1) {
      const same = a[y - 1] === b[x - 1] ? 0 : 1;
      next.push(Math.min((row[x] ?? 0) + 1, (next[x - 1] ?? 0) + 1, (row[x - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[b.length] ?? Number.POSITIVE_INFINITY;
}
