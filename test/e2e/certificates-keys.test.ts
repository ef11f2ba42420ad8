import { createServer, type Server } from "node:http";
import { CertificateClient } from "@azure/keyvault-certificates";
import { KeyClient } from "@azure/keyvault-keys";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { identities } from "../../local/cloud/cloud.ts";
import { openAuthority } from "../life/authority.ts";
import { type Bench, ended, openBench, signedInAs, vault } from "./app.ts";

// A certificate by hand and a published signing key, over HTTP on the whole app: what an operator does, and what anybody may.

let bench: Bench;
let authority: ReturnType<typeof openAuthority>;
let front: Server;
let certificates: CertificateClient;
let keys: KeyClient;
const names = ["www.contoso.com"];
const json = { "content-type": "application/json" };

beforeAll(async () => {
  authority = openAuthority();
  bench = await openBench();
  const { azure, tls } = bench.cloud;
  const options = { disableChallengeResourceVerification: true, tlsOptions: { ca: tls.ca } };
  const uri = bench.cloud.vaultUrl(vault);
  const { objectId, clientId: appId } = identities.person;
  const credential = {
    async getToken() {
      const { token, expiresOn } = await azure.tokens.issue({ audience: "https://vault.azure.net", objectId, appId });
      return { token, expiresOnTimestamp: expiresOn * 1000 };
    },
  };
  certificates = new CertificateClient(uri, credential, options);
  keys = new KeyClient(uri, credential, options);
  // The address that verifiers know stays, wherever the app is.
  front = createServer((request, reply) => {
    void fetch(`${bench.host.url}${request.url ?? ""}`).then(async (answer) => {
      reply.writeHead(answer.status, {
        ...json,
        "cache-control": answer.headers.get("cache-control") ?? "",
      });
      reply.end(await answer.text());
    });
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const { port } = front.address() as { port: number };
  const poller = await certificates.beginCreateCertificate(
    "web",
    { issuerName: "Self", subject: "CN=www.contoso.com", subjectAlternativeNames: { dnsNames: ["www.contoso.com"] } },
    { intervalInMs: 100 },
  );
  bench.cloud.clock.advance(20_000);
  await poller.pollUntilDone();
  await keys.createKey("signer", "EC", { curve: "P-256" });
  bench.cloud.clock.advance(60_000);
  const common = { vault: "orders", validity: "P90D", consumers: [] };
  const objects = [
    ...bench.policy.objects,
    {
      ...common,
      id: "web",
      kind: "certificate",
      name: "web",
      grace: "PT1H",
      certificate: { names, roots: [authority.root] },
      rotator: { kind: "certificate-manual", strategy: "dual", target: { instructions: "Ask the web team." } },
      issueWithin: "P10D",
    },
    {
      ...common,
      id: "signer",
      kind: "key",
      name: "signer",
      grace: "PT13H",
      rotator: {
        kind: "jwt-signing-key",
        strategy: "dual",
        target: {
          algorithm: "ES256",
          url: `http://127.0.0.1:${port}/api/jwks/signer`,
          cacheSeconds: 300,
          longestTokenLife: "PT12H",
        },
      },
    },
  ];
  await bench.setPolicy(
    { ...bench.policy, objects },
    { PINION_COMMAND_AUTHORITY: "entra", WEBSITE_AUTH_ENABLED: "true" },
  );
}, 180_000);
afterAll(async () => {
  front?.close();
  authority?.close();
  await bench?.close();
});

const problem = (status: number, code: string) =>
  ({ status, type: "application/problem+json", json: expect.objectContaining({ status, code }) }) as unknown as object;
const oid = "dddddddd-0000-4000-8000-000000000001";
const operator = { headers: signedInAs("Pinion.Operator") };

/** A rotation that ended goes nowhere: said at once. */
const until: Bench["until"] = async (id, what, done, patience) =>
  await bench.until(
    id,
    what,
    (shown) => {
      if (ended(shown) && !done(shown)) throw new Error(`${id} ended: ${shown.code ?? ""} ${shown.message ?? ""}`);
      return done(shown);
    },
    patience,
  );

describe("a certificate by hand", () => {
  let rotationId = "";
  let csr = "";

  test("nothing waits before it was started", async () => {
    expect(await bench.call("GET", "/api/rotations/web/request")).toMatchObject(problem(404, "NOT_FOUND"));
    const body = { rotationId: "r-1", chain: authority.root };
    expect(await bench.call("POST", "/api/rotations/web/certificate", { ...operator, body })).toMatchObject(
      problem(404, "NOT_FOUND"),
    );
  });

  test("started, it waits; its request can be fetched by a reader, and by nobody without the role", async () => {
    const { properties } = await certificates.getCertificate("web");
    const reply = await bench.call("POST", "/api/rotations/web/start", { body: { version: properties.version } });
    expect(reply.status).toBe(202);
    rotationId = String(reply.json["rotationId"]);
    await until("web", "waiting", ({ status }) => status?.fault?.code === "ISSUANCE_PENDING");
    expect((await bench.call("GET", "/api/rotations/web/request", { key: "" })).status).toBe(401);
    const reader = { headers: signedInAs("Pinion.Reader") };
    const asked = await bench.call("GET", "/api/rotations/web/request", reader);
    expect(asked).toMatchObject({ status: 200, json: { id: "web", rotationId } });
    csr = String(asked.json["request"]);
    expect(csr).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----\n[^]+\n-----END CERTIFICATE REQUEST-----\n$/);
    expect(asked.text).not.toContain("PRIVATE");
    for (const id of ["orders-db", "signer"])
      expect(await bench.call("GET", `/api/rotations/${id}/request`)).toMatchObject(problem(404, "NOT_FOUND"));
  }, 120_000);

  test("wrong callers and wrong bodies change nothing", async () => {
    const chain = authority.sign(csr, names);
    const path = "/api/rotations/web/certificate";
    const body = { rotationId, chain };
    for (const [given, expected] of [
      [{ body, key: "" }, { status: 401 }],
      [{ body, headers: signedInAs() }, problem(403, "FORBIDDEN")],
      [{ body, headers: signedInAs("Pinion.Reader", "pinion.operator") }, problem(403, "FORBIDDEN")],
      [{ ...operator, body: { rotationId, chain: "hello" } }, problem(400, "BAD_REQUEST")],
      [{ ...operator, body: { rotationId } }, problem(400, "BAD_REQUEST")],
      [{ ...operator, body: { ...body, force: true } }, problem(400, "BAD_REQUEST")],
      [{ ...operator, body: { rotationId, chain: "x".repeat(200_001) } }, problem(400, "BAD_REQUEST")],
      [{ ...operator, raw: `{"chain":"${"x".repeat(1024 * 1024)}"}` }, problem(413, "BODY_TOO_LARGE")],
      [{ ...operator, body: { rotationId, chain: authority.root } }, problem(409, "CONFLICT")],
      [{ ...operator, body: { rotationId: "r-000000000-00000000", chain } }, problem(404, "NOT_FOUND")],
    ] as const)
      expect(await bench.call("POST", path, given)).toMatchObject(expected);
    expect((await bench.call("GET", "/api/rotations/web/request")).json["request"]).toBe(csr);
    expect((await bench.show("web")).status?.fault?.code).toBe("ISSUANCE_PENDING");
  });

  test("an operator brings it: merged, proven, published, and in the evidence with who it was", async () => {
    const body = { rotationId, chain: authority.sign(csr, names), reason: "signed by the web team" };
    expect(await bench.call("POST", "/api/rotations/web/certificate", { ...operator, body })).toMatchObject({
      status: 202,
      json: { id: "web", rotationId, command: "merge" },
    });
    await until("web", "rotated", (shown) => ended(shown) && shown.outcome === "rotated");
    const { cer } = await certificates.getCertificate("web");
    authority.verify(cer!, "www.contoso.com", bench.cloud.clock.now());
    const evidence = await bench.call("GET", `/api/evidence/${rotationId}`);
    expect(evidence.json["commands"]).toContainEqual(
      expect.objectContaining({
        verb: "merge",
        reason: "signed by the web team",
        actor: { kind: "person", id: oid, roles: ["Pinion.Operator"] },
      }),
    );
    expect(evidence.text).not.toMatch(/PRIVATE|BEGIN/);
    expect(await bench.call("GET", "/api/rotations/web/request")).toMatchObject(problem(404, "NOT_FOUND"));
    expect(await bench.call("POST", "/api/rotations/web/certificate", { ...operator, body })).toMatchObject(
      problem(404, "NOT_FOUND"),
    );
  }, 120_000);
});

describe("published keys", () => {
  const anybody = async (id: string) => await fetch(`${bench.host.url}/api/jwks/${id}`);
  const kids = async () => {
    const { keys: found } = (await (await anybody("signer")).json()) as { keys: { kid: string }[] };
    return found.map(({ kid }) => kid);
  };

  test("nobody gets a set of what has none", async () => {
    for (const id of ["orders-db", "web", "nobody", "__proto__", "x".repeat(2000)]) {
      const reply = await anybody(id);
      expect([id, reply.status, reply.headers.get("cache-control")]).toEqual([id, 404, "no-store"]);
    }
    // Before the first rotation nothing is published.
    expect((await anybody("signer")).status).toBe(404);
    expect((await fetch(`${bench.host.url}/api/jwks/signer`, { method: "POST" })).status).toBeGreaterThanOrEqual(404);
  });

  test("anybody gets the set, with the headers of its caches and without anything private", async () => {
    const { properties } = await keys.getKey("signer");
    const reply = await bench.call("POST", "/api/rotations/signer/start", { body: { version: properties.version } });
    const rotationId = String(reply.json["rotationId"]);
    await until("signer", "in grace", ({ status }) => status?.step === "grace", 120_000);
    const served = await anybody("signer");
    expect(served.status).toBe(200);
    expect(served.headers.get("content-type")).toMatch(/^application\/(jwk-set\+)?json/);
    expect(served.headers.get("cache-control")).toMatch(/max-age=\d+/);
    const ages = /max-age=(\d+)/.exec(served.headers.get("cache-control") ?? "")?.[1];
    expect(Number(ages)).toBeLessThanOrEqual(300);
    const set = (await served.json()) as { keys: Record<string, string>[] };
    expect(set.keys).toHaveLength(2);
    for (const key of set.keys)
      expect(Object.keys(key).toSorted()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
    expect(rotationId).toMatch(/^r-/);
  }, 180_000);

  test("only an operator withdraws a key, with a reason; it is gone at once, and recorded", async () => {
    const [first = "", second = ""] = await kids();
    const path = "/api/rotations/signer/withdraw";
    const body = { kid: first, reason: "its signer was broken into" };
    for (const [given, expected] of [
      [{ body, key: "" }, { status: 401 }],
      [{ body, headers: signedInAs("Pinion.Reader") }, problem(403, "FORBIDDEN")],
      [{ ...operator, body: { kid: first } }, problem(400, "BAD_REQUEST")],
      [{ ...operator, body: { ...body, kid: "a b" } }, problem(400, "BAD_REQUEST")],
      [{ ...operator, raw: `{"kid":"${"x".repeat(1024 * 1024)}"}` }, problem(413, "BODY_TOO_LARGE")],
    ] as const)
      expect(await bench.call("POST", path, given)).toMatchObject(expected);
    for (const id of ["web", "orders-db"])
      expect(await bench.call("POST", `/api/rotations/${id}/withdraw`, { ...operator, body })).toMatchObject(
        problem(409, "CONFLICT"),
      );
    expect(await kids()).toEqual([first, second]);

    const reply = await bench.call("POST", path, { ...operator, body });
    expect(reply).toMatchObject({ status: 200, json: { id: "signer", kid: first, command: "withdraw" } });
    expect(await kids()).toEqual([second]);
  }, 60_000);

  test("the command of a withdrawal is a record of its own, with who and why", async () => {
    const { records } = (await (await import("./app.ts")).everything(bench)) as { records: string[] };
    const row = records.find((one) => one.includes('"verb":"withdraw"'));
    expect(row).toContain("its signer was broken into");
    expect(row).toContain(oid);
  });
});
