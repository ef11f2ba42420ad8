import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { PinionError } from "../../src/errors.ts";
import { openConnection } from "../../rotators/shared/acme/http.ts";
import { issue } from "../../rotators/shared/acme/issue.ts";
import { observeIssuance } from "../../rotators/shared/acme/observe.ts";
import { faultOf, untilDone } from "./bed.ts";
import type { Resource } from "./ca/state.ts";
import { createScene } from "./stand-in.ts";

// What a CA may refuse, and what becomes of it: the right class, words that help, and nothing left behind.

const limited = { type: "rateLimited", detail: "too many certificates already issued" };

test.each([
  ["accountDoesNotExist", 400, "TARGET_FORBIDDEN", "permanent"],
  ["badPublicKey", 400, "TARGET_REFUSED", "permanent"],
  ["caa", 403, "CHALLENGE_FAILED", "permanent"],
  ["externalAccountRequired", 403, "TARGET_MISCONFIGURED", "permanent"],
  ["invalidContact", 400, "TARGET_MISCONFIGURED", "permanent"],
  ["invalidProfile", 400, "TARGET_MISCONFIGURED", "permanent"],
  ["malformed", 400, "TARGET_REFUSED", "permanent"],
  ["rejectedIdentifier", 400, "TARGET_REFUSED", "permanent"],
  ["serverInternal", 500, "TARGET_UNREACHABLE", "transient"],
  ["unauthorized", 403, "TARGET_FORBIDDEN", "permanent"],
  ["unsupportedIdentifier", 400, "TARGET_REFUSED", "permanent"],
  ["somethingNew", 400, "TARGET_REFUSED", "permanent"],
])("an order refused as %s", async (type, status, code, kind) => {
  const { ca, zone, bed } = await createScene();
  ca.manners.instead.set("newOrder", [{ status, body: { type, detail: "the CA's own words" } }]);
  const { step, slot } = bed.rotation(["a.contoso.com"]);
  const fault = await faultOf(issue(step, zone));
  expect(fault).toMatchObject({ code, class: kind });
  expect(fault.message).toContain(`refused the order for a.contoso.com (${type}: the CA's own words): `);
  expect(slot.begun()).toBe(0);
});

test("a refusal of several names says which", async () => {
  const { ca, zone, bed } = await createScene();
  const part = (value: string) => ({
    type: "urn:ietf:params:acme:error:rejectedIdentifier",
    detail: "never",
    identifier: { type: "dns", value },
  });
  const body = { type: "malformed", detail: "some names", subproblems: [part("b.contoso.com"), part("c.contoso.com")] };
  ca.manners.instead.set("newOrder", [{ status: 400, body }]);
  const { step } = bed.rotation(["a.contoso.com", "b.contoso.com", "c.contoso.com", "d.contoso.com"]);
  const fault = await faultOf(issue(step, zone));
  expect(fault.message).toMatch(
    /refused the order for a\.contoso\.com, b\.contoso\.com, c\.contoso\.com and 1 more \(malformed: some names; b\.contoso\.com rejectedIdentifier; c\.contoso\.com rejectedIdentifier\): the CA never issues/,
  );
});

test("the CA's words are shortened, and nothing that looks like a key is repeated", async () => {
  const { ca, zone, bed } = await createScene();
  const token = "x".repeat(43);
  const detail = `line one\r\n\u001B[31mline two ${token} ${"many words ".repeat(100)}`;
  ca.manners.instead.set("newOrder", [{ status: 400, body: { type: "malformed", detail } }]);
  const { message } = await faultOf(issue(bed.rotation(["a.contoso.com"]).step, zone));
  expect(message).not.toContain(token);
  expect(message).not.toMatch(/\p{Cc}/u);
  expect(message.length).toBeLessThan(450);
});

test.each<[Resource, string, number | undefined]>([
  ["newAccount", "120", 120],
  ["newOrder", "3600", 3600],
  ["order", "10", 10],
  ["authz", "10", 10],
  ["challenge", "10", 10],
  ["finalize", "86400", 86_400],
  ["cert", "10", 10],
  ["newOrder", "in a minute", 60],
  ["newOrder", "soon", undefined],
])("a rate limit at %s is waited out as the CA says (%s)", async (resource, after, seconds) => {
  const { ca, zone, bed, issued } = await createScene();
  ca.manners.slow = { looks: 1 };
  const header = after === "in a minute" ? new Date(Date.now() + 60_000).toUTCString() : after;
  ca.manners.instead.set(resource, [{ status: 429, body: limited, headers: { "retry-after": header } }]);
  const rotation = bed.rotation(["a.contoso.com"]);
  const fault = await faultOf(untilDone(async () => await issue(rotation.step, zone)));
  expect(fault).toMatchObject({ code: "ISSUANCE_LIMITED", class: "throttled" });
  if (seconds === undefined) expect(fault.retryAfterSeconds).toBeUndefined();
  else expect(Math.abs(fault.retryAfterSeconds! - seconds)).toBeLessThanOrEqual(2);
  await issued(rotation);
  expect([ca.orders.length, rotation.slot.begun()]).toEqual([1, 1]);
});

test.each<[string, Resource, { status: number; body: string }]>([
  ["a gateway's page", "newOrder", { status: 502, body: "<html>Bad gateway</html>" }],
  ["a cut connection", "directory", { status: 0, body: "cut" }],
  ["a cut connection", "newNonce", { status: 0, body: "cut" }],
  ["a cut connection", "newAccount", { status: 0, body: "cut" }],
  ["a cut connection", "finalize", { status: 0, body: "cut" }],
  ["a cut connection", "cert", { status: 0, body: "cut" }],
])("%s at %s passes", async (_what, resource, instead) => {
  const { ca, zone, bed, issued } = await createScene();
  ca.manners.instead.set(resource, [instead]);
  const rotation = bed.rotation(["a.contoso.com"]);
  expect(await faultOf(issue(rotation.step, zone))).toMatchObject({ code: "TARGET_UNREACHABLE", class: "transient" });
  await issued(rotation);
  expect([ca.orders.length, rotation.slot.begun()]).toEqual([1, 1]);
});

test.each<[string, Resource, string]>([
  ["an empty text", "directory", ""],
  ["another JSON", "directory", "{}"],
  ["an unsafe URL", "directory", JSON.stringify({ newNonce: "http://169.254.169.254/" })],
  ["another JSON", "order", "{}"],
  ["another JSON", "authz", "[]"],
  ["no certificate", "cert", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"],
])("%s for %s ends it", async (_what, resource, body) => {
  const { ca, zone, bed } = await createScene();
  ca.manners.slow = { looks: 1 };
  ca.manners.instead.set(
    resource,
    Array.from({ length: 100 }, () => ({ status: 200, body })),
  );
  const fault = await faultOf(untilDone(async () => await issue(bed.rotation(["a.contoso.com"]).step, zone), 3));
  expect(fault.code).toMatch(/TARGET_REFUSED|TARGET_UNREACHABLE/);
  expect(zone.left()).toEqual([]);
});

test("a megabyte and more is not read", async () => {
  const { ca, zone, bed } = await createScene();
  ca.manners.instead.set("directory", [{ status: 200, body: " ".repeat(1_100_000) }]);
  expect(await faultOf(issue(bed.rotation(["a.contoso.com"]).step, zone))).toMatchObject({
    code: "TARGET_REFUSED",
    message: "The CA answered with more than 1 MB: check `directory` in the target.",
  });
});

test("terms that changed: a person is sent to the CA's page", async () => {
  const { ca, zone, bed } = await createScene();
  const instance = "https://ca.example/agree";
  const body = { type: "userActionRequired", detail: "new terms", instance };
  ca.manners.instead.set("newOrder", [{ status: 403, body }]);
  const fault = await faultOf(issue(bed.rotation(["a.contoso.com"]).step, zone));
  expect(fault).toMatchObject({ code: "TARGET_FORBIDDEN", class: "permanent" });
  expect(fault.message).toContain(`a person must visit the CA's page first (${instance})`);
});

test("a request that the CA does not sign: values are withdrawn, and the order forgotten", async () => {
  const { ca, zone, bed } = await createScene();
  ca.manners.instead.set("finalize", [{ status: 400, body: { type: "badCSR", detail: "a weak key" } }]);
  const fault = await faultOf(untilDone(async () => await issue(bed.rotation(["a.contoso.com"]).step, zone)));
  expect(fault).toMatchObject({ code: "TARGET_REFUSED", class: "permanent" });
  expect(fault.message).toContain("refused to sign for a.contoso.com (badCSR: a weak key)");
  expect(zone.left()).toEqual([]);
  expect([...bed.notes.keys()]).toEqual(["acme-account"]);
});

test("an order that is not ready after all is looked at again", async () => {
  const { ca, zone, bed, issued } = await createScene();
  ca.manners.instead.set("finalize", [{ status: 403, body: { type: "orderNotReady", detail: "wait" } }]);
  const rotation = bed.rotation(["a.contoso.com"]);
  expect(await faultOf(issue(rotation.step, zone))).toMatchObject({ code: "ISSUANCE_PENDING", class: "transient" });
  await issued(rotation);
  expect([ca.orders.length, rotation.slot.begun()]).toEqual([1, 1]);
});

test.each([
  ["caa", "CAA record for contoso.com prevents issuance"],
  ["dns", "SERVFAIL looking up TXT"],
  ["connection", "timeout during connect"],
  ["unauthorized", "incorrect TXT record"],
  ["incorrectResponse", "wrong"],
  ["tls", "handshake failure"],
])("a challenge that failed as %s names its domain", async (type, detail) => {
  const { ca, zone, bed, issued } = await createScene();
  ca.manners.failing.set("b.contoso.com", { type, detail });
  const names = ["a.contoso.com", "b.contoso.com"];
  const fault = await faultOf(untilDone(async () => await issue(bed.rotation(names).step, zone)));
  expect(fault).toMatchObject({ code: "CHALLENGE_FAILED", class: "permanent" });
  expect(fault.message).toContain(`The CA could not make sure of b.contoso.com (${type}: ${detail}): `);
  expect(zone.left()).toEqual([]);
  ca.manners.failing.clear();
  await issued(bed.rotation(names));
});

test("a challenge that failed by the CA's own fault is made again, in another order", async () => {
  const { ca, zone, bed, issued } = await createScene();
  ca.manners.failing.set("a.contoso.com", { type: "serverInternal", detail: "oops" });
  const rotation = bed.rotation(["a.contoso.com"]);
  expect(await faultOf(issue(rotation.step, zone))).toMatchObject({ code: "CHALLENGE_FAILED", class: "transient" });
  expect(zone.left()).toEqual([]);
  ca.manners.failing.clear();
  await issued(rotation);
  expect(ca.orders).toHaveLength(2);
});

test("a token that is no token publishes nothing", async () => {
  const { ca, zone, bed } = await createScene();
  ca.manners.token = "../../secret";
  const fault = await faultOf(issue(bed.rotation(["a.contoso.com"]).step, zone));
  expect(fault).toMatchObject({ code: "TARGET_REFUSED", class: "permanent" });
  expect(zone.left()).toEqual([]);
});

test("profiles: sent with the order; one that is not offered is refused by preflight", async () => {
  const { ca, zone, bed, issued, sent } = await createScene({ profile: "shortlived" });
  ca.manners.profiles = { classic: "90 days", shortlived: "6 days" };
  const rotation = bed.rotation(["a.contoso.com"]);
  expect((await observeIssuance(rotation.step, zone)).every(({ ok }) => ok)).toBe(true);
  await issued(rotation);
  expect(sent("newOrder")).toEqual([expect.objectContaining({ profile: "shortlived" })]);
  ca.manners.profiles = { classic: "90 days" };
  const fault = await faultOf(observeIssuance(rotation.step, zone));
  expect(fault).toMatchObject({ code: "TARGET_MISCONFIGURED" });
  expect(fault.message).toContain("has no profile shortlived; it offers classic");
});

test("preflight asks for a place for every name, a wildcard's beside that of its own name", async () => {
  const { ca, zone, bed } = await createScene();
  const asked: (readonly string[])[] = [];
  zone.demandPlaces = async (names) => {
    asked.push(names);
    throw new PinionError("TARGET_MISCONFIGURED", "No zone holds it.");
  };
  const { step } = bed.rotation(["a.contoso.com", "*.a.contoso.com", "b.fabrikam.com"]);
  expect(await faultOf(observeIssuance(step, zone))).toMatchObject({ code: "TARGET_MISCONFIGURED" });
  const [a, b] = ["_acme-challenge.a.contoso.com", "_acme-challenge.b.fabrikam.com"];
  expect([asked, ca.orders]).toEqual([[[a, a, b]], []]);
});

test("a CA whose TLS has a bad moment is asked again, and not called untrusted", async () => {
  // The alert internal_error (RFC 8446 section 6.2), in the place of a ServerHello.
  const server = createServer(
    (socket) => void socket.once("data", () => socket.end(Buffer.from("15030300020250", "hex"))),
  );
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/directory`;
  const connection = openConnection({ directory: url }, new AbortController().signal);
  const fault = await faultOf(connection.send({ method: "GET", url }));
  expect(fault).toMatchObject({ code: "TARGET_UNREACHABLE", class: "transient" });
  expect(fault.message).toContain("did not answer (EPROTO)");
  connection.close();
});

test("a CA on the network cannot point us at this machine", async () => {
  const { ca } = await createScene();
  const connection = openConnection({ directory: "https://ca.example/dir" }, new AbortController().signal);
  const ask = connection.send({ method: "GET", url: ca.directory });
  expect(await faultOf(ask)).toMatchObject({ code: "TARGET_REFUSED", class: "permanent" });
  connection.close();
});
