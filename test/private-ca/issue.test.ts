import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { issueCertificate, observeAuthority } from "../../rotators/certificate-private-ca.ts";
import type { PrivateCaTarget } from "../../rotators/certificate-private-ca.ts";
import { serialOf } from "../../rotators/shared/private-ca/sign.ts";
import type { CertificateSlot, CertificateWish, Ports, Step, VaultCertificate } from "../../src/rotator.ts";
import { keyPair } from "./keys.ts";
import { hasOpenssl, makeRequest, verify } from "./openssl.ts";
import { day, makeScene, now, p256, rsa2048, wish } from "./scene.ts";

const skipped = !hasOpenssl && process.env["CI"] !== "true";

/** The place where a certificate is made, over memory that outlives a crash. */
function slotOver(wanted: CertificateWish) {
  const store: { csr?: Uint8Array; versions: VaultCertificate[]; chain?: readonly Uint8Array[]; operations: number } = {
    versions: [],
    operations: 0,
  };
  const slot: CertificateSlot = {
    wanted,
    chain: async () => store.chain?.slice(1) ?? [],
    source: () => Promise.resolve(undefined),
    made: () => Promise.resolve(store.versions[0]),
    pending: () => {
      if (store.csr === undefined) {
        store.csr = makeRequest(keyPair(wanted.key).privateKey);
        store.operations += 1;
      }
      return Promise.resolve({ csr: store.csr, requestId: "0f".repeat(16) });
    },
    merge: (chain) => {
      const [found] = store.versions;
      if (found !== undefined && Buffer.compare(found.leaf, chain[0]!) === 0) return Promise.resolve(found);
      if (found !== undefined) return Promise.reject(new Error("there is no pending operation"));
      const made = { leaf: chain[0]!, url: "https://kv.example/certificates/www/1" } as VaultCertificate;
      store.versions.push(made);
      store.chain = chain;
      return Promise.resolve(made);
    },
  };
  return { store, slot };
}

interface Bench {
  readonly wanted?: CertificateWish;
  readonly scene?: ReturnType<typeof makeScene>;
}

/** A step whose process dies before or after its n-th call to the outside. */
function bench({ wanted = wish(), scene = makeScene() }: Bench = {}) {
  const { store, slot } = slotOver(wanted);
  const notes = new Map<string, string>();
  let clock = now;
  const stepDying = (at = Infinity, how: "before" | "after" = "after") => {
    let calls = 0;
    const alive =
      <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        calls += 1;
        if (calls > at || (calls === at && how === "before")) throw new Error("the process died");
        const result = await call(...args);
        if (calls === at) throw new Error("the process died");
        clock += 7000;
        return result;
      };
    const step: Step<PrivateCaTarget> = {
      target: scene.target,
      rotationId: "r-0mi000001-aaaaaa",
      round: 1,
      ports: {
        now: () => clock,
        keys: { ...scene.keys.port, get: alive(scene.keys.port.get), sign: alive(scene.keys.port.sign) },
      } as Ports,
      notes: {
        read: (name) => notes.get(name),
        write: alive((name, text) => {
          if (text === undefined) notes.delete(name);
          else notes.set(name, text);
          return Promise.resolve();
        }),
      },
      slot: { ...slot, made: alive(slot.made), pending: alive(slot.pending), merge: alive(slot.merge) },
      signal: new AbortController().signal,
    };
    return { step, calls: () => calls };
  };
  return { store, scene, stepDying, notes, clock: () => clock };
}

describe.skipIf(skipped)(`issuing from a private authority${skipped ? " (skipped: no openssl here)" : ""}`, () => {
  test("signs once, merges leaf and authority, and finds it afterwards", async () => {
    const { store, scene, stepDying } = bench();
    const made = await issueCertificate(stepDying().step);
    expect(store.versions).toEqual([made]);
    expect(store.chain).toHaveLength(2);
    expect(Buffer.from(store.chain![1]!).equals(new X509Certificate(scene.ca.pem).raw)).toBe(true);
    expect(verify(made.leaf, { ...scene.trust, options: ["-purpose", "sslserver"] })).toBe("OK");
    const { step, calls } = stepDying();
    expect(await issueCertificate(step)).toBe(made);
    expect(calls()).toBe(1);
  });

  for (const key of [p256, rsa2048]) {
    test(`one version, killed before and after every call (${key.type})`, async () => {
      const scene = makeScene({ key });
      const clean = bench({ scene });
      const counted = clean.stepDying();
      await issueCertificate(counted.step);
      expect(counted.calls()).toBe(6);
      for (let at = 1; at <= counted.calls(); at += 1) {
        for (const how of ["before", "after"] as const) {
          const { store, stepDying } = bench({ scene });
          await expect(issueCertificate(stepDying(at, how).step)).rejects.toThrow("died");
          const made = await issueCertificate(stepDying().step);
          expect([store.operations, store.versions.length]).toEqual([1, 1]);
          expect(verify(made.leaf, scene.trust)).toBe("OK");
        }
      }
    });
  }

  test("a re-entry signs the same certificate again, at any later time", async () => {
    const { store, stepDying, notes } = bench({ scene: makeScene({ key: rsa2048 }) });
    await expect(issueCertificate(stepDying(6, "before").step)).rejects.toThrow("died");
    expect([...notes.keys()]).toEqual(["private-ca-issued"]);
    const first = await issueCertificate(stepDying().step);
    store.versions.length = 0;
    const again = await issueCertificate(stepDying().step);
    expect(Buffer.from(again.leaf).equals(first.leaf)).toBe(true);
    const { serialNumber, validFromDate } = new X509Certificate(first.leaf);
    expect(serialNumber).toMatch(/^[4-7][0-9A-F]{39}$/);
    expect(validFromDate.getTime()).toBeLessThanOrEqual(now);
  });

  test("two copies at once make one version", async () => {
    const { store, scene, stepDying } = bench();
    const [one, other] = await Promise.all([issueCertificate(stepDying().step), issueCertificate(stepDying().step)]);
    expect(one).toBe(other);
    expect([store.operations, store.versions.length]).toEqual([1, 1]);
    expect(verify(one.leaf, scene.trust)).toBe("OK");
  });

  test("a policy that asks too much leaves no pending operation behind", async () => {
    const { store, stepDying } = bench({ wanted: wish({ subject: "", names: ["evil.example"] }) });
    await expect(issueCertificate(stepDying().step)).rejects.toMatchObject({ code: "NAME_NOT_PERMITTED" });
    await expect(observeAuthority(stepDying().step)).rejects.toMatchObject({ code: "NAME_NOT_PERMITTED" });
    expect(store.operations).toBe(0);
  });

  test("stops when the step's signal aborts", async () => {
    const { store, stepDying } = bench();
    const step = { ...stepDying().step, signal: AbortSignal.abort(new DOMException("lease lost", "AbortError")) };
    await expect(issueCertificate(step)).rejects.toMatchObject({ name: "AbortError" });
    expect(store.operations).toBe(0);
  });

  test("preflight signs nothing and says what would come out", async () => {
    const { scene, store, stepDying } = bench({ scene: makeScene({ days: 40 }) });
    const { proofs, facts } = await observeAuthority(stepDying().step);
    expect(proofs.every(({ ok }) => ok)).toBe(true);
    expect(facts["certificateWouldExpireAt"]).toBe(new X509Certificate(scene.ca.pem).validToDate.toISOString());
    expect(scene.keys.calls).toEqual(["get"]);
    expect(store.operations).toBe(0);
  });

  test.each([
    ["the authority ends soon", { days: 20 }, "renew the authority"],
    ["the cap is short", { target: { maxValidity: "P30D" } }, "raise maxValidity"],
  ])("what would be due as soon as it is made is not made: %s", async (_why, setting, advice) => {
    const { scene, store, stepDying } = bench({ scene: makeScene(setting) });
    for (const call of [observeAuthority, issueCertificate])
      await expect(call(stepDying().step)).rejects.toMatchObject({
        code: "TARGET_MISCONFIGURED",
        message: expect.stringContaining(advice) as string,
      });
    expect([store.operations, scene.keys.calls]).toEqual([0, ["get", "get"]]);
  });

  test("an object that is no certificate is refused", async () => {
    const { slot: _, ...step } = bench().stepDying().step;
    for (const call of [issueCertificate, observeAuthority])
      await expect(call(step)).rejects.toMatchObject({ code: "TARGET_MISCONFIGURED" });
  });

  test("serial numbers differ with any of their parts", () => {
    const serials = [
      serialOf("r-1", "a", now),
      serialOf("r-2", "a", now),
      serialOf("r-1", "b", now),
      serialOf("r-1", "a", now + day),
    ].map((serial) => Buffer.from(serial).toString("hex"));
    expect(new Set(serials).size).toBe(4);
    expect(Buffer.from(serialOf("r-1", "a", now)).toString("hex")).toBe(serials[0]);
  });
});
