import { describe, expect, test } from "vitest";
import { hmacSecret as rotator } from "../../rotators/hmac-secret.ts";
import { hmacTarget } from "../../rotators/shared/hmac/target.ts";
import type { HmacTarget } from "../../rotators/shared/hmac/target.ts";
import { code, failed, makeScene, once, verifier, useVerifier } from "./bench.ts";
import { hookKeyUrl } from "./lab.ts";

useVerifier();

describe("the probe", () => {
  test("that accepts anything proves nothing", async () => {
    const at = await makeScene();
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
    const at = await makeScene();
    await rotator.set(at.step(), at.next, at.old);
    const list = verifier.secrets.get(at.name)!;
    verifier.secrets.set(at.name, { ...list, held: at.old.material as string });
    expect(failed(await rotator.validate(at.step(), at.next, at.old, once)).map(({ name }) => name)).toEqual([
      "a canary signed with the new secret is accepted",
    ]);
  });

  test("whose answer says nothing about the secret is no verdict", async () => {
    const at = await makeScene();
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
    const at = await makeScene({ form: "standard" });
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
    rotator.works({ ...(await makeScene()).step() }, { id: "a", material: { vaultVersion: "x" } }),
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
