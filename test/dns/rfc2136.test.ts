import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startBind } from "../../local/targets/bind.ts";
import type { BindServer } from "../../local/targets/bind.ts";
import { ask, parseServer } from "../../rotators/shared/dns/query.ts";
import { rfc2136, rfc2136Config } from "../../rotators/shared/dns/rfc2136.ts";
import type { Rfc2136Config } from "../../rotators/shared/dns/rfc2136.ts";
import { bindIsMissing, needsBind } from "./bind.ts";
import { startNameServer } from "./name-server.ts";
import { stepOf, valueOf } from "./step.ts";
import type { Given } from "./step.ts";

// Promise: values come and go one by one in a real name server, and whatever the server holds against it is said in words.

const keys = ["sha256", "sha384", "sha512"].map((hash) => ({
  name: `pinion-${hash}`,
  algorithm: `hmac-${hash}`,
  secret: randomBytes(32).toString("base64"),
}));
const stranger = { name: "stranger", algorithm: "hmac-sha256", secret: randomBytes(32).toString("base64") };
const url = (name: string) => `https://kv-contoso.vault.azure.net/secrets/${name}`;
const secrets = Object.fromEntries([...keys, stranger].map(({ name, secret }) => [url(name), secret]));
const name = "_acme-challenge.www.contoso.com";
const [first, second] = [valueOf("a"), valueOf("b")];

let dir: string;
let bind: BindServer;

describe.skipIf(bindIsMissing)(`RFC 2136${needsBind}`, () => {
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "pinion-bind-"));
    const updatedBy = keys.map((key) => key.name);
    const ns = ["@ NS ns1", "ns1 A 127.0.0.1"];
    bind = await startBind({
      dir,
      keys: [...keys, stranger],
      zones: [
        {
          name: "contoso.com",
          updatedBy,
          records: [
            ...ns,
            "_acme-challenge.shop CNAME shop.validation.contoso.net.",
            "_acme-challenge.far CNAME a.chain.contoso.com.",
            "a.chain CNAME b.chain",
            "b.chain CNAME far.validation.contoso.net.",
            "_acme-challenge.loop CNAME loop1",
            "loop1 CNAME loop2",
            "loop2 CNAME loop1",
            "*.wild CNAME elsewhere.fabrikam.com.",
          ],
        },
        { name: "sub.contoso.com", updatedBy, records: [...ns, "*.wild CNAME elsewhere.contoso.com."] },
        { name: "validation.contoso.net", updatedBy, records: ns },
        { name: "closed.contoso.org", updatedBy: ["stranger"], records: ns },
      ],
    });
  });
  afterAll(async () => {
    await bind?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  function config(more: Partial<Record<keyof Rfc2136Config, unknown>> = {}, key = keys[0]!): Rfc2136Config {
    return rfc2136Config.parse({
      kind: "rfc2136",
      server: bind.host,
      port: bind.port,
      key: { name: key.name, algorithm: key.algorithm, secret: url(key.name) },
      resolvers: [bind.address],
      servers: [bind.address],
      ...more,
    });
  }
  const step = (more: Parameters<typeof config>[0] = {}, given: Given = {}, key = keys[0]!) =>
    stepOf(config(more, key), { secrets, ...given });
  const values = async (at: string): Promise<readonly string[]> => {
    const { answers } = await ask(
      parseServer(bind.address),
      { name: at, type: "TXT" },
      { recurse: false, signal: step().signal },
    );
    return answers.flatMap((one) => (one.type === "TXT" ? [[one.data].flat().join("")] : [])).sort();
  };

  test.each(keys)("a value comes, a second beside it, and each goes alone: $algorithm", async (key) => {
    const at = step({}, {}, key);
    await rfc2136.publish(at, { name, value: first });
    await rfc2136.publish(at, { name, value: second });
    await rfc2136.publish(at, { name, value: second });
    expect(await values(name)).toEqual([first, second]);
    expect(await rfc2136.visible(at, { name, value: second })).toEqual({
      everywhere: true,
      detail: "The only server shows it.",
    });
    await rfc2136.withdraw(at, { name, value: first });
    expect(await values(name)).toEqual([second]);
    await rfc2136.withdraw(at, { name, value: first });
    await rfc2136.withdraw(at, { name, value: second });
    expect(await values(name)).toEqual([]);
    expect((await rfc2136.visible(at, { name, value: second })).everywhere).toBe(false);
  });

  test("the longest zone that holds the name is found, or named", async () => {
    const deep = "_acme-challenge.x.sub.contoso.com";
    for (const more of [{}, { zone: "sub.contoso.com" }]) {
      await rfc2136.publish(step(more), { name: deep, value: first });
      expect(await values(deep)).toEqual([first]);
      await rfc2136.withdraw(step(more), { name: deep, value: first });
      expect(await values(deep)).toEqual([]);
    }
  });

  test("a CNAME leads to where the value goes, over several steps as well", async () => {
    for (const host of ["shop", "far"]) {
      const record = { name: `_acme-challenge.${host}.contoso.com`, value: first };
      await rfc2136.publish(step(), record);
      expect(await values(`${host}.validation.contoso.net`)).toEqual([first]);
      expect((await rfc2136.visible(step(), record)).everywhere).toBe(true);
      await rfc2136.withdraw(step(), record);
      expect(await values(`${host}.validation.contoso.net`)).toEqual([]);
    }
    await rfc2136.publish(step({ delegatedTo: "all.validation.contoso.net", resolvers: ["127.0.0.1:9"] }), {
      name,
      value: first,
    });
    expect(await values("all.validation.contoso.net")).toEqual([first]);
  });

  test("a loop of CNAMEs is told, and a wildcard's CNAME is not followed", async () => {
    await expect(
      rfc2136.publish(step(), { name: "_acme-challenge.loop.contoso.com", value: first }),
    ).rejects.toMatchObject({
      code: "TARGET_MISCONFIGURED",
      class: "permanent",
    });
    for (const zone of ["contoso.com", "sub.contoso.com"]) {
      const wild = { name: `_acme-challenge.wild.${zone}`, value: first };
      await rfc2136.publish(step(), wild);
      expect(await values(wild.name)).toEqual([first]);
      await rfc2136.withdraw(step(), wild);
      expect(await values(wild.name)).toEqual([]);
    }
  });

  test("a wrong key, an unknown key and a wrong algorithm", async () => {
    const wrong = randomBytes(32).toString("base64");
    const refuse = async (at: ReturnType<typeof step>) => {
      const error: unknown = await rfc2136.publish(at, { name, value: first }).catch((one: unknown) => one);
      expect((error as Error).message).not.toContain(wrong);
      return error;
    };
    const secretsWrong = { ...secrets, [url(keys[0]!.name)]: wrong };
    expect(await refuse(step({}, { secrets: secretsWrong }))).toMatchObject({
      code: "TARGET_FORBIDDEN",
      class: "permanent",
      message: expect.stringContaining("BADSIG") as string,
    });
    // The vault has another one by now: it is read anew.
    await rfc2136.publish(step({}, { secrets: secretsWrong, fresh: secrets }), { name, value: first });
    await rfc2136.withdraw(step(), { name, value: first });
    const unknown = { name: "nobody", algorithm: "hmac-sha256", secret: url(keys[0]!.name) };
    for (const key of [unknown, { ...unknown, name: keys[0]!.name, algorithm: "hmac-sha512" }]) {
      expect(await refuse(step({ key }))).toMatchObject({
        code: "TARGET_FORBIDDEN",
        message: expect.stringContaining("BADKEY") as string,
      });
    }
    expect(await refuse(step({}, { secrets: { [url(keys[0]!.name)]: "no base64!" } }))).toMatchObject({
      code: "TARGET_MISCONFIGURED",
    });
  });

  test("a zone that is not the server's, one that is closed to the key, and a name outside the zone", async () => {
    const fault = (more: Parameters<typeof config>[0], at = name) =>
      rfc2136.publish(step(more), { name: at, value: first }).then(
        () => undefined,
        (error: unknown) => error,
      );
    const fabrikam = "_acme-challenge.fabrikam.com";
    expect(await fault({ delegatedTo: fabrikam })).toMatchObject({
      code: "TARGET_MISCONFIGURED",
      message: expect.stringContaining("has no zone that holds") as string,
    });
    expect(await fault({ zone: "fabrikam.com", delegatedTo: fabrikam }, fabrikam)).toMatchObject({
      code: "TARGET_MISCONFIGURED",
      message: expect.stringContaining("NOTAUTH") as string,
    });
    expect(await fault({ zone: "sub.contoso.com" })).toMatchObject({
      code: "TARGET_MISCONFIGURED",
      message: expect.stringContaining("is not in the zone sub.contoso.com") as string,
    });
    expect(await fault({}, "_acme-challenge.closed.contoso.org")).toMatchObject({
      code: "TARGET_FORBIDDEN",
      message: expect.stringContaining("REFUSED") as string,
    });
  });

  test.each([
    ["behind", 1000],
    ["ahead of", -1000],
  ])("a server's clock %s ours", async (word, seconds) => {
    const now = () => Date.now() + seconds * 1000;
    await expect(rfc2136.publish(step({}, { now }), { name, value: first })).rejects.toMatchObject({
      code: "CLOCK_SKEW",
      class: "permanent",
      message: expect.stringMatching(new RegExp(`is (999|1000|1001) seconds ${word} ours \\(BADTIME\\)`)) as string,
    });
    expect(await values(name)).toEqual([]);
  });

  test("a hundred names at once, and a hundred values of one name: more than UDP carries", async () => {
    const names = Array.from({ length: 100 }, (_, n) => `_acme-challenge.host${n}.contoso.com`);
    const many = Array.from({ length: 100 }, (_, n) => valueOf("c").slice(3) + String(n).padStart(3, "0"));
    await Promise.all(names.map(async (one) => await rfc2136.publish(step(), { name: one, value: first })));
    expect((await Promise.all(names.map(values))).every(([one]) => one === first)).toBe(true);
    await Promise.all(names.map(async (one) => await rfc2136.withdraw(step(), { name: one, value: first })));
    expect((await Promise.all(names.map(values))).every((one) => one.length === 0)).toBe(true);

    await Promise.all(many.map(async (value) => await rfc2136.publish(step(), { name, value })));
    expect(await values(name)).toEqual(many);
    expect((await rfc2136.visible(step(), { name, value: many[99]! })).everywhere).toBe(true);
    // Two writers at once: one takes the even values away, the other the odd ones.
    await Promise.all(many.slice(2).map(async (value) => await rfc2136.withdraw(step(), { name, value })));
    expect(await values(name)).toEqual(many.slice(0, 2));
    await Promise.all(many.slice(0, 2).map(async (value) => await rfc2136.withdraw(step(), { name, value })));
  });

  test("a reply that the key does not sign counts for nothing, however good it looks", async () => {
    // NOERROR to everything, with the SOA that was asked for.
    const liar = await startNameServer((asked, type) =>
      type === "SOA" ? [{ type, name: asked, data: { mname: "ns1", rname: "x" } }] : [],
    );
    try {
      await expect(
        rfc2136.publish(step({ port: Number(liar.address.split(":")[1]) }), { name, value: first }),
      ).rejects.toMatchObject({
        code: "TARGET_FORBIDDEN",
        message: expect.stringContaining("does not sign") as string,
      });
    } finally {
      await liar.stop();
    }
  });

  test("a server that does not listen is tried again", async () => {
    await expect(rfc2136.publish(step({ port: 9 }), { name, value: first })).rejects.toMatchObject({
      code: "TARGET_UNREACHABLE",
      class: "transient",
    });
  });
});
