import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hmacSecret as rotator } from "../../rotators/hmac-secret.ts";
import { hmacTarget } from "../../rotators/shared/hmac/target.ts";
import type { HmacTarget } from "../../rotators/shared/hmac/target.ts";
import { PinionError } from "../../src/errors.ts";
import type { Credential, Notes, Proof, Step } from "../../src/rotator.ts";
import { startEdge } from "../contract/edge.ts";
import type { Edge } from "../contract/edge.ts";
import { hookKeyUrl, makeLab, start } from "./lab.ts";
import type { LabOptions, Verifier } from "./lab.ts";
import { hookKey, startVerifier } from "./server.ts";

let verifier: Verifier;
let time = start;
const edges: Edge[] = [];
beforeAll(async () => {
  verifier = await startVerifier(() => time);
});
afterEach(() => {
  verifier.acceptAnything(false);
  verifier.faults.length = 0;
  time = start;
});
afterAll(async () => {
  await Promise.all(edges.map((edge) => edge.close()));
  await verifier.close();
});

const ids = { first: "r-0mi000001-aaaaaa", second: "r-0mi000002-aaaaaa" };
const once = { negativeControl: true };
const failed = (proofs: readonly Proof[]) => proofs.filter(({ ok }) => !ok);
const code = (expected: string, kind = "permanent") => ({ code: expected, class: kind });

/** A lab with a candidate; the step and its later copies share their notes. */
async function scene(options: LabOptions = {}, edge: Pick<Edge, "port"> = verifier) {
  const lab = makeLab(verifier, edge, options);
  const all = new Map<string, string>();
  const notes: Notes = {
    read: (name) => all.get(name),
    write: async (name, text) => void (text === undefined ? all.delete(name) : all.set(name, text)),
  };
  const step = (rotationId = ids.first): Step<HmacTarget> => ({
    target: lab.target,
    rotationId,
    round: 1,
    ports: lab.ports,
    notes,
    signal: new AbortController().signal,
  });
  return { ...lab, all, step, old: lab.current, next: await lab.candidate() };
}

const texts = (...credentials: Credential[]) => credentials.map(({ material }) => material);

for (const by of ["list", "webhook"] as const) {
  describe(`a verifier with a ${by}`, () => {
    test("goes the whole way: both, then the new one only; no signature ever fails", async () => {
      const at = await scene({ by, form: "standard", lag: "PT5M" });
      const seen = await rotator.observe(at.step(), at.old, once);
      expect(failed(seen.proofs)).toEqual([]);
      expect(seen.idle.id).toBe(seen.current.id);
      await rotator.set(at.step(), at.next, at.old);
      expect(new Set(at.list())).toEqual(new Set(texts(at.old, at.next)));
      await expect(rotator.validate(at.step(), at.next, at.old, once)).rejects.toMatchObject({
        code: "NOT_SETTLED",
        class: "transient",
        retryAfterSeconds: 300,
      });
      at.advance(300);
      time += 300_000;
      const proofs = await rotator.validate(at.step(), at.next, at.old, once);
      expect(failed(proofs)).toEqual([]);
      expect(proofs.map(({ name }) => name)).toEqual([
        "the verifier's list has the new secret",
        "the verifier's list has the old secret",
        "it has had it for as long as the verifier may lag behind",
        "a canary signed with the new secret is accepted",
        "a canary signed with the old secret is accepted",
        "a canary signed with a random secret is refused",
      ]);
      await rotator.revoke(at.step(), at.old);
      expect(at.list()).toEqual(texts(at.next));
      expect([await rotator.works(at.step(), at.old), await rotator.works(at.step(), at.next)]).toEqual([false, true]);
      expect(failed((await rotator.observe(at.step(ids.second), at.next, once)).proofs)).toEqual([]);
    });

    test("a candidate that is rolled back is taken out; a late copy does not bring it back", async () => {
      const at = await scene({ by });
      await rotator.set(at.step(), at.next, at.old);
      await rotator.revoke(at.step(), at.next);
      expect(at.list()).toEqual(texts(at.old));
      await expect(rotator.set(at.step(), at.next, at.old)).rejects.toMatchObject(code("LEASE_LOST"));
      expect(at.list()).toEqual(texts(at.old));
    });

    test("a rollback before the candidate came keeps it out as well", async () => {
      const at = await scene({ by });
      await rotator.revoke(at.step(), at.next);
      await expect(rotator.set(at.step(), at.next, at.old)).rejects.toMatchObject(code("LEASE_LOST"));
      expect(at.list()).toEqual(texts(at.old));
    });

    test("a late copy does nothing after the next rotation, nor to its notes", async () => {
      const at = await scene({ by });
      await rotator.set(at.step(), at.next, at.old);
      await rotator.revoke(at.step(), at.old);
      const third = await at.candidate();
      await rotator.set(at.step(ids.second), third, at.next);
      const notes = JSON.stringify([...at.all]);
      for (const late of [
        () => rotator.set(at.step(), at.next, at.old),
        () => rotator.revoke(at.step(), at.old),
        () => rotator.revoke(at.step(), at.next),
      ])
        await expect(late()).rejects.toMatchObject(code("LEASE_LOST"));
      expect(new Set(at.list())).toEqual(new Set(texts(at.next, third)));
      expect(JSON.stringify([...at.all])).toBe(notes);
    });

    test("a third secret leaves no room, before and at the change", async () => {
      const at = await scene({ by });
      const third = await at.candidate();
      if (by === "list") verifier.secrets.get(at.name)!.value += ` ${third.material as string}`;
      else verifier.hooks.get(at.name)!.accepted.push(third.material as string);
      await expect(rotator.observe(at.step(), at.old, once)).rejects.toMatchObject(code("NO_FREE_SLOT"));
      await expect(rotator.set(at.step(), at.next, at.old)).rejects.toMatchObject(code("NO_FREE_SLOT"));
      expect(at.list()).toEqual(texts(at.old, third));
    });

    test("after a crash, preflight knows its own candidate", async () => {
      const at = await scene({ by });
      await rotator.set(at.step(), at.next, at.old);
      expect(failed((await rotator.observe(at.step(), at.old, once)).proofs)).toEqual([]);
      await expect(rotator.observe(at.step(ids.second), at.old, once)).rejects.toMatchObject(code("NO_FREE_SLOT"));
    });

    test("never takes away the last secret", async () => {
      const at = await scene({ by });
      await expect(rotator.revoke(at.step(), at.old)).rejects.toMatchObject(code("SLOT_UNCLEAR"));
      expect(at.list()).toEqual(texts(at.old));
    });

    test("without a probe the list decides", async () => {
      const at = await scene({ by, probe: false });
      expect([await rotator.works(at.step(), at.old), await rotator.works(at.step(), at.next)]).toEqual([true, false]);
      await rotator.set(at.step(), at.next, at.old);
      const proofs = await rotator.validate(at.step(), at.next, at.old, once);
      expect([failed(proofs).length, proofs.length]).toEqual([0, 3]);
    });

    test("a connection lost at any message loses nothing and repeats nothing", async () => {
      const steps = [
        [async () => {}, (at) => rotator.set(at.step(), at.next, at.old), 2],
        [(at) => rotator.set(at.step(), at.next, at.old), (at) => rotator.revoke(at.step(), at.old), 1],
      ] as [
        (at: Awaited<ReturnType<typeof scene>>) => Promise<unknown>,
        (at: Awaited<ReturnType<typeof scene>>) => Promise<unknown>,
        number,
      ][];
      for (const [before, run, left] of steps) {
        for (let call = 1; call <= 2; call += 1) {
          for (const how of ["before", "after"] as const) {
            const edge = await startEdge(verifier.port);
            edges.push(edge);
            const at = await scene({ by }, edge);
            await before(at);
            const writes = await at.changes();
            void edge.arm({ call, how });
            await expect(run(at)).rejects.toMatchObject(code("TARGET_UNREACHABLE", "transient"));
            await run(at);
            expect((await at.changes()) - writes).toBe(1);
            expect(at.list()).toHaveLength(left);
          }
        }
      }
    });
  });
}

describe("the list", () => {
  test("keeps others, their order and the vault's tags where the policy says so", async () => {
    for (const format of ["space-separated", "json-array"] as const) {
      const at = await scene({ others: "keep", format });
      const list = verifier.secrets.get(at.name)!;
      const write = (values: unknown[]) => (format === "json-array" ? JSON.stringify(values) : values.join(" "));
      list.value = write(["theirs-1", at.old.material, "theirs-2"]);
      await rotator.observe(at.step(), at.old, once);
      await rotator.set(at.step(), at.next, at.old);
      const now = verifier.secrets.get(at.name)!;
      expect(now.value).toBe(write([at.next.material, at.old.material, "theirs-1", "theirs-2"]));
      expect(now.tags).toEqual({ owner: "payments", "pinion-mark": `${ids.first} set` });
      await rotator.revoke(at.step(), at.old);
      expect(verifier.secrets.get(at.name)!.value).toBe(write([at.next.material, "theirs-1", "theirs-2"]));
    }
  });

  test("a write of somebody else in between is not lost", async () => {
    const at = await scene({ others: "keep" });
    let first = true;
    const ports = {
      ...at.ports,
      writeSecret: async (...args: Parameters<typeof at.ports.writeSecret>) => {
        if (first) {
          first = false;
          const list = verifier.secrets.get(at.name)!;
          verifier.secrets.set(at.name, { ...list, version: "by hand", value: `${list.value} theirs` });
        }
        return await at.ports.writeSecret(...args);
      },
    };
    await rotator.set({ ...at.step(), ports }, at.next, at.old);
    expect(at.list()).toEqual([...texts(at.next, at.old), "theirs"]);
  });

  test("what is no list is refused, and not quoted", async () => {
    for (const value of ["{", '{"a":1}', "[1]", '"text-of-a-secret"']) {
      const at = await scene({ format: "json-array" });
      verifier.secrets.get(at.name)!.value = value;
      const error = await rotator.set(at.step(), at.next, at.old).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject(code("TARGET_MISCONFIGURED"));
      expect(String((error as Error).stack)).not.toContain("text-of-a-secret");
      expect(verifier.secrets.get(at.name)!.value).toBe(value);
    }
  });

  test("a list that others write all the time is tried again later", async () => {
    const at = await scene();
    const ports = { ...at.ports, writeSecret: () => Promise.reject(new PinionError("OUT_OF_BAND_CHANGE", "again")) };
    await expect(rotator.set({ ...at.step(), ports }, at.next, at.old)).rejects.toMatchObject(
      code("LEASE_HELD", "transient"),
    );
  });
});

describe("time", () => {
  test("a verifier that lags behind its list still accepts what was taken out, and that counts", async () => {
    const at = await scene();
    await rotator.set(at.step(), at.next, at.old);
    const list = verifier.secrets.get(at.name)!;
    verifier.secrets.set(at.name, { ...list, held: list.value });
    await rotator.revoke(at.step(), at.old);
    expect(await rotator.works(at.step(), at.old)).toBe(true);
    const { held: _, ...fresh } = verifier.secrets.get(at.name)!;
    verifier.secrets.set(at.name, fresh);
    expect(await rotator.works(at.step(), at.old)).toBe(false);
  });

  test("a crash between the list and the note makes the wait longer, never shorter", async () => {
    const at = await scene({ lag: "PT10M" });
    const dying = { ...at.step(), notes: { read: () => undefined, write: () => Promise.reject(new Error("died")) } };
    await expect(rotator.set(dying, at.next, at.old)).rejects.toThrow("died");
    expect(failed(await rotator.validate(at.step(), at.next, at.old, once))).toHaveLength(1);
    at.advance(500);
    await rotator.set(at.step(), at.next, at.old);
    at.advance(500);
    await rotator.set(at.step(), at.next, at.old);
    await expect(rotator.validate(at.step(), at.next, at.old, once)).rejects.toMatchObject({ retryAfterSeconds: 100 });
  });

  test("a candidate that is put back waits anew", async () => {
    const at = await scene({ lag: "PT10M" });
    await rotator.set(at.step(), at.next, at.old);
    at.advance(500);
    const list = verifier.secrets.get(at.name)!;
    verifier.secrets.set(at.name, { ...list, version: "by hand", value: at.old.material as string });
    expect(failed(await rotator.validate(at.step(), at.next, at.old, once))).toHaveLength(1);
    await rotator.set(at.step(), at.next, at.old);
    await expect(rotator.validate(at.step(), at.next, at.old, once)).rejects.toMatchObject({ retryAfterSeconds: 600 });
  });
});

describe("the probe", () => {
  test("that accepts anything proves nothing", async () => {
    const at = await scene();
    await rotator.set(at.step(), at.next, at.old);
    verifier.acceptAnything(true);
    for (const call of [
      () => rotator.observe(at.step(), at.old, once),
      () => rotator.validate(at.step(), at.next, at.old, once),
    ])
      await expect(call()).rejects.toMatchObject(code("WRONG_PASSWORD_ACCEPTED"));
    expect(failed(await rotator.validate(at.step(), at.next, at.old, { negativeControl: false }))).toEqual([]);
  });

  test("that the verifier does not agree with is a failed proof", async () => {
    const at = await scene();
    await rotator.set(at.step(), at.next, at.old);
    const list = verifier.secrets.get(at.name)!;
    verifier.secrets.set(at.name, { ...list, held: at.old.material as string });
    expect(failed(await rotator.validate(at.step(), at.next, at.old, once)).map(({ name }) => name)).toEqual([
      "a canary signed with the new secret is accepted",
    ]);
  });

  test("whose answer says nothing about the secret is no verdict", async () => {
    const at = await scene();
    const answers: [number, object, object][] = [
      [404, {}, code("TARGET_MISCONFIGURED")],
      [400, {}, code("TARGET_MISCONFIGURED")],
      [302, { location: "https://elsewhere.example/" }, code("TARGET_MISCONFIGURED")],
      [500, {}, code("TARGET_UNREACHABLE", "transient")],
      [429, { "retry-after": "9" }, { class: "throttled", retryAfterSeconds: 9 }],
    ];
    for (const [status, headers, expected] of answers) {
      verifier.faults.push({ status, headers: headers as Record<string, string> });
      await expect(rotator.works(at.step(), at.old), `status ${status}`).rejects.toMatchObject(expected);
    }
    verifier.faults.push({ status: 200, body: "x".repeat(2 << 20) });
    await expect(rotator.works(at.step(), at.old)).rejects.toMatchObject(code("TARGET_MISCONFIGURED"));
  });

  test("decoded keys and base64 signatures", async () => {
    const at = await scene({ form: "standard" });
    const target = hmacTarget.parse({
      ...at.target,
      lag: "PT0S",
      probe: {
        url: at.target.probe!.url.replace("/standard/", "/github/"),
        header: "X-Hub-Signature-256",
        prefix: "sha256=",
      },
    });
    // The text of the secret is the key there.
    expect(await rotator.works({ ...at.step(), target }, at.old)).toBe(true);
    const decoded = { ...target, probe: { ...target.probe!, key: "decoded" as const } } as HmacTarget;
    expect(await rotator.works({ ...at.step(), target: decoded }, at.old)).toBe(false);
    const other = { ...target, probe: { ...target.probe!, digest: "base64" as const } } as HmacTarget;
    expect(await rotator.works({ ...at.step(), target: other }, at.old)).toBe(false);
  });
});

describe("the webhook", () => {
  test("is told references and fingerprints, never a secret", async () => {
    const before = verifier.written().length;
    const at = await scene({ by: "webhook", probe: false });
    await rotator.observe(at.step(), at.old, once);
    await rotator.set(at.step(), at.next, at.old);
    await rotator.validate(at.step(), at.next, at.old, once);
    await rotator.revoke(at.step(), at.old);
    const told = verifier.written().slice(before);
    expect(told).toContain(at.next.reference);
    expect(texts(at.old, at.next).filter((text) => told.includes(text as string))).toEqual([]);
    expect(told).not.toContain(hookKey);
  });

  test("with another key refuses us, and is refused without a reference", async () => {
    const at = await scene({ by: "webhook" });
    const ports = { ...at.ports, secret: async () => "another key" };
    await expect(rotator.set({ ...at.step(), ports }, at.next, at.old)).rejects.toMatchObject(code("TARGET_FORBIDDEN"));
    const { reference: _, ...bare } = at.next;
    await expect(rotator.set(at.step(), bare, at.old)).rejects.toMatchObject(code("TARGET_MISCONFIGURED"));
  });

  test("that answers something else is misconfigured", async () => {
    const at = await scene({ by: "webhook" });
    for (const body of ["", "not JSON", "{}", '{"accepted":"all"}']) {
      verifier.faults.push({ status: 200, body });
      await expect(rotator.set(at.step(), at.next, at.old)).rejects.toMatchObject(code("TARGET_MISCONFIGURED"));
    }
    verifier.faults.push({ status: 422 });
    await expect(rotator.set(at.step(), at.next, at.old)).rejects.toMatchObject(code("TARGET_REFUSED"));
  });
});

test("secrets are random, and as long and written as the policy says", async () => {
  const make = async (more: object) => {
    const target = hmacTarget.parse({
      verifier: { webhook: "https://a.example/h", key: hookKeyUrl },
      lag: "PT0S",
      ...more,
    });
    const account = { id: "a" };
    return (await rotator.create({ target } as never, { current: account, idle: account })).material as string;
  };
  expect(await make({})).toMatch(/^[A-Za-z0-9+/]{43}=$/);
  expect(await make({ encoding: "hex", bytes: 64 })).toMatch(/^[0-9a-f]{128}$/);
  const secret = await make({ encoding: "whsec", bytes: 33 });
  expect(Buffer.from(secret.replace(/^whsec_/, ""), "base64")).toHaveLength(33);
  expect(new Set(await Promise.all(Array.from({ length: 50 }, () => make({})))).size).toBe(50);
  await expect(
    rotator.works({ ...(await scene()).step() }, { id: "a", material: { vaultVersion: "x" } }),
  ).rejects.toMatchObject(code("TARGET_MISCONFIGURED"));
});

test("targets that would hold a secret, or aim at a version, are refused", () => {
  const good = { verifier: { secret: "https://kv.example/secrets/list", format: "json-array" }, lag: "PT1M" };
  expect(hmacTarget.safeParse(good).success).toBe(true);
  for (const bad of [
    {
      ...good,
      verifier: { ...good.verifier, secret: "https://kv.example/secrets/list/0123456789abcdef0123456789abcdef" },
    },
    { ...good, verifier: { webhook: "https://a.example/h?code=secret", key: hookKeyUrl } },
    { ...good, verifier: { webhook: "http://a.example/h", key: hookKeyUrl } },
    { ...good, verifier: { ...good.verifier, webhook: "https://a.example/h" } },
    { ...good, bytes: 16 },
    { ...good, bytes: 65 },
    { ...good, probe: { url: "https://a.example/p", header: "A B" } },
    { ...good, more: true },
  ])
    expect(hmacTarget.safeParse(bad).success).toBe(false);
  expect(
    rotator.account(
      hmacTarget.parse({ ...good, verifier: { ...good.verifier, secret: "https://KV.example/secrets/List" } }),
    ),
  ).toBe(rotator.account(hmacTarget.parse(good)));
});
