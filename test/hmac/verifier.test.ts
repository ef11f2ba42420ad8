import { describe, expect, test } from "vitest";
import { hmacSecret as rotator } from "../../rotators/hmac-secret.ts";
import { PinionError } from "../../src/errors.ts";
import { code, failed, ids, makeScene, once, texts, verifier, useVerifier } from "./bench.ts";
import { hookKey } from "./server.ts";

useVerifier();

describe("the list", () => {
  test("keeps others, their order and the vault's tags where the policy says so", async () => {
    for (const format of ["space-separated", "json-array"] as const) {
      const at = await makeScene({ others: "keep", format });
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
    const at = await makeScene({ others: "keep" });
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
      const at = await makeScene({ format: "json-array" });
      verifier.secrets.get(at.name)!.value = value;
      const error = await rotator.set(at.step(), at.next, at.old).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject(code("TARGET_MISCONFIGURED"));
      expect(String((error as Error).stack)).not.toContain("text-of-a-secret");
      expect(verifier.secrets.get(at.name)!.value).toBe(value);
    }
  });

  test("a list that others write all the time is tried again later", async () => {
    const at = await makeScene();
    const ports = { ...at.ports, writeSecret: () => Promise.reject(new PinionError("OUT_OF_BAND_CHANGE", "again")) };
    await expect(rotator.set({ ...at.step(), ports }, at.next, at.old)).rejects.toMatchObject(
      code("LEASE_HELD", "transient"),
    );
  });
});

describe("time", () => {
  test("a verifier that lags behind its list still accepts what was taken out, and that counts", async () => {
    const at = await makeScene();
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
    const at = await makeScene({ lag: "PT10M" });
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
    const at = await makeScene({ lag: "PT10M" });
    await rotator.set(at.step(), at.next, at.old);
    at.advance(500);
    const list = verifier.secrets.get(at.name)!;
    verifier.secrets.set(at.name, { ...list, version: "by hand", value: at.old.material as string });
    expect(failed(await rotator.validate(at.step(), at.next, at.old, once))).toHaveLength(1);
    await rotator.set(at.step(), at.next, at.old);
    await expect(rotator.validate(at.step(), at.next, at.old, once)).rejects.toMatchObject({ retryAfterSeconds: 600 });
  });
});

describe("the webhook", () => {
  test("is told references and fingerprints, never a secret", async () => {
    const before = verifier.written().length;
    const at = await makeScene({ by: "webhook", probe: false });
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
    const at = await makeScene({ by: "webhook" });
    const ports = { ...at.ports, secret: async () => "another key" };
    await expect(rotator.set({ ...at.step(), ports }, at.next, at.old)).rejects.toMatchObject(code("TARGET_FORBIDDEN"));
    const { reference: _, ...bare } = at.next;
    await expect(rotator.set(at.step(), bare, at.old)).rejects.toMatchObject(code("TARGET_MISCONFIGURED"));
  });

  test("that answers something else is misconfigured", async () => {
    const at = await makeScene({ by: "webhook" });
    for (const body of ["", "not JSON", "{}", '{"accepted":"all"}']) {
      verifier.faults.push({ status: 200, body });
      await expect(rotator.set(at.step(), at.next, at.old)).rejects.toMatchObject(code("TARGET_MISCONFIGURED"));
    }
    verifier.faults.push({ status: 422 });
    await expect(rotator.set(at.step(), at.next, at.old)).rejects.toMatchObject(code("TARGET_REFUSED"));
  });
});
