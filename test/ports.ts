import type { Notes, Ports } from "../src/rotator.ts";

// Ports of a rotator under test: what it should not reach throws.

const refused = async (): Promise<never> => {
  throw new Error("this test has no such port");
};

export const noPorts: Ports = {
  secret: refused,
  newestSecret: refused,
  writeSecret: refused,
  token: refused,
  certificate: refused,
  keyed: refused,
  keys: { get: refused, versions: refused, sign: refused, verify: refused, wrap: refused, unwrap: refused },
  arm: refused,
  now: () => Date.now(),
  withLease: (_name, work) => work(),
};

/** Notes in memory; `all` shows what a later rotation would find. */
export function memoryNotes(
  first: Readonly<Record<string, string>> = {},
): Notes & { readonly all: Map<string, string> } {
  const all = new Map(Object.entries(first));
  return {
    all,
    read: (name) => all.get(name),
    async write(name, text) {
      if (text === undefined) all.delete(name);
      else all.set(name, text);
    },
  };
}
