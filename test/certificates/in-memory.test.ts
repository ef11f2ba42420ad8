import { describe, expect, test } from "vitest";
import { serveInMemory, type InMemoryOptions, type Keyed } from "../../src/certificates/in-memory.ts";
import { clientAuth, day, keyOf, make, type Made, now, serverAuth } from "./make.ts";
import { file, noOpenssl, openssl, opensslReason } from "./openssl.ts";

const root = make({ subject: "CN=Root", key: keyOf("P-384", 0), ca: true });
const middle = make({ subject: "CN=Middle", key: keyOf("P-384", 1), by: root, ca: true });
const of = (more: Partial<Parameters<typeof make>[0]> = {}) =>
  make({
    subject: "CN=www.contoso.com",
    key: keyOf("rsa-2048", 2),
    by: middle,
    names: ["www.contoso.com", "*.contoso.com"],
    usages: [serverAuth],
    ...more,
  });
const leaf = of();
const options: InMemoryOptions = {
  serverName: "www.contoso.com",
  roots: [root.pem],
  now,
  signal: AbortSignal.timeout(600_000),
};
const pem = (made: Made, chain: readonly Made[] = [middle]): Keyed => ({
  pem: [made.keyPem, made.pem, ...chain.map(({ pem }) => pem)].join(""),
});
const failed = async (keyed: Keyed, more: Partial<InMemoryOptions> = {}) => {
  const { proofs } = await serveInMemory(keyed, { ...options, ...more });
  expect(proofs).toHaveLength(3);
  return proofs.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
};

test("PEM as the vault gives it is served whole, and accepted", async () => {
  const { chain, proofs } = await serveInMemory(pem(leaf), options);
  expect(proofs.map(({ ok }) => ok)).toEqual([true, true, true]);
  expect(chain).toEqual([leaf.der, middle.der, root.der]);
});

test("the chain's certificates, the name and the time are looked at", async () => {
  expect(await failed(pem(leaf, []))).toEqual([expect.stringMatching(/a client accepts the chain.*UNABLE_TO/)]);
  expect(await failed(pem(leaf), { roots: [of({ subject: "CN=Other" }).pem] })).toHaveLength(1);
  expect(await failed(pem(leaf), { roots: "system" })).toHaveLength(1);
  expect(await failed(pem(leaf), { serverName: "api.contoso.com" })).toEqual([]);
  expect(await failed(pem(leaf), { serverName: "www.contoso.org" })).toEqual([
    expect.stringMatching(/as www\.contoso\.org: its names are www/),
  ]);
  expect(await failed(pem(leaf), { now: now + 90 * day })).toEqual([expect.stringContaining("has expired")]);
});

test("what only a client finds wrong is wrong: a certificate that is not for servers", async () => {
  const found = await failed(pem(of({ usages: [clientAuth] })));
  expect(found).toEqual([expect.stringMatching(/a client says INVALID_PURPOSE/)]);
});

test("time is the cloud's, not the machine's", async () => {
  const later = now + 5000 * day;
  const [r, m] = [
    { ...root.spec, from: later - day, until: later + day },
    { ...middle.spec, from: later - day, until: later + day },
  ];
  const farRoot = make(r);
  const farMiddle = make({ ...m, by: farRoot });
  const far = of({ by: farMiddle, from: later - day, until: later + day });
  expect(await failed(pem(far, [farMiddle]), { now: later, roots: [farRoot.pem] })).toEqual([]);
});

test("a private key that does not fit serves nobody, and is not quoted", async () => {
  const keyed = { pem: leaf.pem + keyOf("rsa-2048", 3).export({ format: "pem", type: "pkcs8" }) };
  const error = await serveInMemory(keyed, options).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "HANDSHAKE_FAILED", class: "permanent" });
  expect((error as Error).message).not.toMatch(/BEGIN|MII/);
  for (const other of [
    { pem: leaf.pem },
    { pem: "nonsense" },
    { pfx: Buffer.from("nonsense") },
    { pfx: Buffer.alloc(0) },
  ])
    await expect(serveInMemory(other, options)).rejects.toMatchObject({ code: "HANDSHAKE_FAILED" });
});

test("an abort ends it", async () => {
  await expect(serveInMemory(pem(leaf), { ...options, signal: AbortSignal.abort(new Error("over")) })).rejects.toThrow(
    "over",
  );
});

describe.skipIf(noOpenssl)(`a PFX without a password${opensslReason}`, () => {
  test.each([[], ["-legacy"], ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"]])(
    "openssl pkcs12 %s",
    async (...flags: readonly string[]) => {
      const out = file("out.pfx");
      const made = await openssl([
        "pkcs12",
        "-export",
        "-passout",
        "pass:",
        "-out",
        out,
        "-inkey",
        file("key.pem", leaf.keyPem),
        "-in",
        file("leaf.pem", leaf.pem),
        "-certfile",
        file("middle.pem", middle.pem),
        ...flags,
      ]);
      expect(made.out).toBe("");
      const { readFileSync } = await import("node:fs");
      const keyed = { pfx: readFileSync(out) };
      if (flags.includes("-legacy"))
        await expect(serveInMemory(keyed, options)).rejects.toMatchObject({ code: "HANDSHAKE_FAILED" });
      else expect(await failed(keyed)).toEqual([]);
    },
  );
});
