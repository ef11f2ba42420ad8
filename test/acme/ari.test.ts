import { X509Certificate, generateKeyPairSync } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createRequest } from "../../local/vault/certificates/x509.ts";
import { certificateId, renewAt } from "../../rotators/shared/acme/ari.ts";
import { createAuthority } from "./ca/authority.ts";
import { createScene } from "./stand-in.ts";

// Renewal information (RFC 9773), against the stand-in.

const day = 86_400_000;
const iso = (instant: number) => new Date(instant).toISOString();

test("the id of a certificate is that of RFC 9773's own example", async () => {
  const authority = await createAuthority();
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const props = {
    subject: "CN=a",
    ekus: [],
    key_usage: [],
    validity_months: 1,
    basic_constraints: { ca: false },
  };
  const pem = await authority.sign(createRequest(props, privateKey), ["example.com"], {
    serialNumber: "0087654321",
    authorityKeyId: "69885b6b87464041e1b37b847ba0ae2cde01c8d4",
  });
  expect(certificateId(new X509Certificate(pem).raw)).toBe("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
});

test("an instant in the window, the same each time, other for another certificate", async () => {
  const { ca, bed, issued } = await createScene();
  const start = Date.now() + 30 * day;
  ca.manners.window = {
    start: iso(start),
    end: iso(start + 2 * day),
    retryAfter: "21600",
    explanationURL: "https://ca.example/incident",
  };
  const found = [];
  for (const name of ["one.contoso.com", "two.contoso.com", "three.contoso.com"]) {
    const rotation = bed.rotation([name]);
    const certificate = await issued(rotation);
    const renewal = await renewAt(rotation.step, certificate);
    expect(renewal).toMatchObject({
      by: "the CA's window",
      askAgainSeconds: 21_600,
      explanation: "https://ca.example/incident",
    });
    expect(await renewAt(rotation.step, certificate)).toEqual(renewal);
    expect(renewal.at).toBeGreaterThanOrEqual(start);
    expect(renewal.at).toBeLessThan(start + 2 * day);
    found.push(renewal.at);
  }
  expect(new Set(found).size).toBe(3);
});

test.each([
  ["knows no such certificate", { status: 404, body: "" }],
  ["fails", { status: 500, body: "" }],
  ["answers nonsense", { status: 200, body: "<html>" }],
  ["has a window that ends before it begins", { status: 200, body: windowText(2, 1) }],
  ["ends the connection", { status: 0, body: "cut" }],
])("two thirds of the life, where the CA %s", async (_what, instead) => {
  const { ca, bed, issued } = await createScene();
  ca.manners.window = { start: iso(0), end: iso(1) };
  const rotation = bed.rotation(["a.contoso.com"]);
  const certificate = await issued(rotation);
  ca.manners.instead.set("ari", [instead]);
  const { validFromDate, validToDate } = new X509Certificate(certificate.leaf);
  const life = validToDate.getTime() - validFromDate.getTime();
  expect(await renewAt(rotation.step, certificate)).toEqual({
    at: Math.floor(validFromDate.getTime() + (life * 2) / 3),
    by: "two thirds of its life",
  });
});

test("two thirds of the life, where the CA is down", async () => {
  const { ca, bed, issued } = await createScene();
  const rotation = bed.rotation(["a.contoso.com"]);
  const certificate = await issued(rotation);
  ca.close();
  expect((await renewAt(rotation.step, certificate)).by).toBe("two thirds of its life");
});

test("a renewal says what it replaces; a CA that refuses that gets the order without it", async () => {
  const { ca, bed, issued, sent } = await createScene();
  ca.manners.window = { start: iso(Date.now()), end: iso(Date.now() + day) };
  const first = await issued(bed.rotation(["a.contoso.com"]));
  await issued(bed.rotation(["a.contoso.com", "b.contoso.com"], { source: first }));
  const replaces = certificateId(first.leaf);
  expect(sent("newOrder").map((payload) => (payload as { replaces?: string }).replaces)).toEqual([undefined, replaces]);
  // Again for the same certificate, as after a rollback: it is replaced already.
  await issued(bed.rotation(["a.contoso.com"], { source: first }));
  expect(sent("newOrder").slice(2)).toEqual([
    expect.objectContaining({ replaces }),
    expect.not.objectContaining({ replaces }),
  ]);
  expect(ca.orders).toHaveLength(3);
});

test("nothing is replaced where no name is the same, or the CA does not know the certificate", async () => {
  const { ca, bed, issued, sent } = await createScene();
  ca.manners.window = { start: iso(Date.now()), end: iso(Date.now() + day) };
  const first = await issued(bed.rotation(["a.contoso.com"]));
  await issued(bed.rotation(["c.contoso.com"], { source: first }));
  const elsewhere = await createScene();
  const foreign = await elsewhere.issued(elsewhere.bed.rotation(["a.contoso.com"]));
  await issued(bed.rotation(["a.contoso.com"], { source: foreign }));
  expect(sent("newOrder").filter((payload) => "replaces" in (payload as object))).toEqual([]);
});

test("instants are spread over the whole window", async () => {
  const { ca, bed, issued } = await createScene();
  const rotation = bed.rotation(["a.contoso.com"]);
  const { leaf } = await issued(rotation);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 1, max: 100 }), async (from, days) => {
      const start = Date.now() + from * day;
      ca.manners.window = { start: iso(start), end: iso(start + days * day) };
      const { at } = await renewAt(rotation.step, { leaf });
      expect(at).toBeGreaterThanOrEqual(start);
      expect(at).toBeLessThan(start + days * day);
    }),
    { numRuns: 20, seed: 9773 },
  );
});

function windowText(start: number, end: number): string {
  return JSON.stringify({ suggestedWindow: { start: iso(start), end: iso(end) } });
}
