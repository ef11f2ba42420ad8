import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { issue } from "../../rotators/shared/acme/issue.ts";
import { observeIssuance } from "../../rotators/shared/acme/observe.ts";
import { revokeSuperseded } from "../../rotators/shared/acme/revoke.ts";
import { renewAt } from "../../rotators/shared/acme/ari.ts";
import { createBed, faultOf, untilDone } from "./bed.ts";
import type { Rotation } from "./bed.ts";
import type { KeyKind } from "./keys.ts";
import { verifyChain } from "./openssl.ts";
import { skipped, usePebble, where } from "./pebble.ts";
import { dnsPublisher, httpPublisher } from "./publisher.ts";
import type { WatchedPublisher } from "./publisher.ts";

// Issuing against pebble, with real validation over DNS and HTTP.

describe.skipIf(skipped)(`pebble${where}`, () => {
  const { pebble, tls } = usePebble({ env: { PEBBLE_WFE_NONCEREJECT: "5", PEBBLE_AUTHZREUSE: "0" } });
  const bedFor = (more: object = {}) => createBed({ directory: pebble().directory, caRoots: tls().ca, ...more });

  async function issued({ step, slot }: Rotation, publisher: WatchedPublisher) {
    const certificate = await untilDone(async () => await issue(step, publisher));
    expect(slot.merged).toHaveLength(1);
    expect(slot.begun()).toBe(1);
    expect(verifyChain(slot.merged[0]!, await pebble().root(), slot.wanted.names)).toBe("");
    const { subjectAltName } = new X509Certificate(certificate.leaf);
    expect(subjectAltName?.split(", ").sort()).toEqual(slot.wanted.names.map((name) => `DNS:${name}`).sort());
    expect(await publisher.left()).toEqual([]);
    expect(step.notes.read("acme-order")).toBeUndefined();
    return certificate;
  }

  test.each(["ec", "rsa"])("issues for an account whose key is %s and stays in the vault", async (kind) => {
    const bed = bedFor({ account: `https://kv.vault.azure.net/keys/account-${kind}`, contact: ["pki@contoso.com"] });
    const publisher = dnsPublisher(bed.life, pebble().dns);
    await issued(bed.rotation([`${kind}.contoso.com`], { key: { type: "RSA", size: 2048 } }), publisher);
    expect([...bed.notes.keys()].sort()).toEqual(["acme-account", "acme-history"]);
  });

  test("renews with the same account, and revokes the former certificate as superseded", async () => {
    const bed = bedFor();
    const publisher = dnsPublisher(bed.life, pebble().dns);
    const first = await issued(bed.rotation(["renew.contoso.com"]), publisher);
    const account = bed.notes.get("acme-account");
    const next = bed.rotation(["renew.contoso.com"], { source: first });
    const second = await untilDone(async () => await issue(next.step, publisher));
    expect(second.version).not.toBe(first.version);
    expect(bed.notes.get("acme-account")).toBe(account);
    for (const call of [1, 2]) {
      expect(await revokeSuperseded(next.step, first.leaf), `call ${call}`).toMatchObject({ ok: true });
    }
    const serial = (leaf: Uint8Array) => new X509Certificate(leaf).serialNumber;
    expect(await pebble().statusOf(serial(first.leaf))).toEqual({ status: "Revoked", reason: 4 });
    expect((await pebble().statusOf(serial(second.leaf))).status).toBe("Valid");
  });

  test.each<[string, KeyKind]>([
    ["ec", "ec"],
    ["ec", "rsa"],
    ["rsa", "ec"],
  ])("a new version of the account's key, from %s to %s: the same account goes on", async (from, to) => {
    const account = `https://kv.vault.azure.net/keys/turned-${to}-${from}`;
    const bed = bedFor({ account, contact: ["pki@contoso.com"] });
    const publisher = dnsPublisher(bed.life, pebble().dns);
    const noted = () => JSON.parse(bed.notes.get("acme-account")!) as { kid: string; key: string };
    const first = await issued(bed.rotation(["turned.contoso.com"]), publisher);
    const { kid, key } = noted();
    for (const remembers of [true, false]) {
      const turned = bed.keys.turn(account, to);
      if (!remembers) bed.notes.clear();
      await issued(bed.rotation(["turned.contoso.com"]), publisher);
      expect(noted()).toMatchObject({ kid, key: turned });
    }
    bed.keys.change(key, { enabled: false });
    const { step } = bed.rotation(["turned.contoso.com"]);
    expect(await revokeSuperseded(step, first.leaf), "by the account that ordered it").toMatchObject({ ok: true });
  });

  test("a name and its wildcard: two values at one place", async () => {
    const bed = bedFor();
    const publisher = dnsPublisher(bed.life, pebble().dns);
    await issued(bed.rotation(["wild.contoso.com", "*.wild.contoso.com"]), publisher);
    expect([...publisher.published].map((one) => one.split(" ")[0])).toEqual(
      Array(2).fill("_acme-challenge.wild.contoso.com"),
    );
  });

  test("a hundred names", { timeout: 120_000 }, async () => {
    const bed = bedFor();
    const names = Array.from({ length: 100 }, (_, index) => `host-${index}.${"long-label-".repeat(4)}x.contoso.com`);
    const publisher = dnsPublisher(bed.life, pebble().dns);
    await issued(bed.rotation(names), publisher);
    expect(publisher.published.size).toBe(100);
  });

  test("http-01", async () => {
    const bed = bedFor();
    const publisher = httpPublisher(bed.life, pebble().dns);
    await issued(bed.rotation(["web.contoso.com", "www.contoso.com"]), publisher);
    expect(publisher.published.size).toBe(2);
  });

  test("a name that cannot be proven is named, and everything is withdrawn", async () => {
    const bed = bedFor();
    const publisher = dnsPublisher(bed.life, pebble().dns);
    const { step, slot } = bed.rotation(["good.contoso.com", "broken.contoso.com"]);
    const { fail } = pebble().dns;
    // What the authoritative servers show is not what the CA's resolver gets.
    const trusting = { ...publisher, visible: async () => await Promise.resolve({ everywhere: true, detail: "" }) };
    await fail("_acme-challenge.broken.contoso.com", true);
    try {
      const fault = await faultOf(untilDone(async () => await issue(step, trusting)));
      expect(fault).toMatchObject({ code: "CHALLENGE_FAILED", class: "permanent" });
      expect(fault.message).toMatch(/could not make sure of broken\.contoso\.com \((unauthorized|dns): /);
    } finally {
      await fail("_acme-challenge.broken.contoso.com", false);
    }
    expect(await publisher.left()).toEqual([]);
    expect([...bed.notes.keys()].sort()).toEqual(["acme-account", "acme-history"]);
    expect(slot.begun(), "no key pair was made").toBe(0);
    await issued(bed.rotation(["good.contoso.com", "broken.contoso.com"]), publisher);
  });

  test("a CA that forgot the account gets it again", async () => {
    const bed = bedFor();
    const publisher = dnsPublisher(bed.life, pebble().dns);
    const { directory } = bed.target;
    await issued(bed.rotation(["first.contoso.com"]), publisher);
    const { thumbprint } = JSON.parse(bed.notes.get("acme-account")!) as { thumbprint: string };
    const kid = directory.replace("/dir", "/my-account/forgotten");
    bed.notes.set("acme-account", JSON.stringify({ directory, thumbprint, kid, contact: "" }));
    await issued(bed.rotation(["second.contoso.com"]), publisher);
    expect(bed.notes.get("acme-account")).not.toContain("forgotten");
  });

  test("preflight: key, directory and challenge are proven, and nothing is made", async () => {
    const bed = bedFor();
    const { step } = bed.rotation(["a.contoso.com"]);
    const publisher = dnsPublisher(bed.life, pebble().dns);
    expect(await observeIssuance(step, publisher)).toEqual([
      { name: "the account's key signs", ok: true, detail: expect.stringMatching(/^ES256, thumbprint /) as string },
      { name: "the CA's directory answers and fits the target", ok: true, detail: pebble().directory },
      { name: "the servers for a.contoso.com can be asked", ok: true, detail: "0 of 1 servers show it." },
    ]);
    expect(bed.notes.size).toBe(0);
    const wild = bed.rotation(["*.contoso.com"]).step;
    expect(await faultOf(observeIssuance(wild, httpPublisher(bed.life, pebble().dns)))).toMatchObject({
      code: "TARGET_MISCONFIGURED",
      message: "No CA proves *.contoso.com by http-01: set a dns-01 `challenge` in the target (RFC 8555 section 8.3).",
    });
    const weak = bedFor({ account: "https://kv.vault.azure.net/keys/account-p384" }).rotation(["a.contoso.com"]).step;
    expect(await faultOf(observeIssuance(weak, publisher))).toMatchObject({ code: "TARGET_MISCONFIGURED" });
  });

  test("a directory that TLS cannot trust is refused, and one that is not there asked again", async () => {
    const { step } = createBed({ directory: pebble().directory }).rotation(["a.contoso.com"]);
    const publisher = dnsPublisher(bedFor().life, pebble().dns);
    expect(await faultOf(issue(step, publisher))).toMatchObject({
      code: "TARGET_MISCONFIGURED",
      message: expect.stringContaining("caRoots") as string,
    });
    const nowhere = createBed({ directory: "https://127.0.0.1:9/dir" }).rotation(["a.contoso.com"]).step;
    expect(await faultOf(issue(nowhere, publisher))).toMatchObject({ code: "TARGET_UNREACHABLE", class: "transient" });
  });

  test("without renewal information a certificate is due after two thirds of its life", async () => {
    const bed = bedFor();
    const { step } = bed.rotation(["due.contoso.com"]);
    const { leaf } = await issued({ step, slot: step.slot as Rotation["slot"] }, dnsPublisher(bed.life, pebble().dns));
    const { validFromDate, validToDate } = new X509Certificate(leaf);
    const life = validToDate.getTime() - validFromDate.getTime();
    const { at, by } = await renewAt(step, { leaf });
    expect(by).toBe("two thirds of its life");
    expect(at - validFromDate.getTime()).toBe(Math.floor((life * 2) / 3));
  });
});

describe.skipIf(skipped)(`a pebble that calls every second nonce bad${where}`, () => {
  const { pebble, tls } = usePebble({ env: { PEBBLE_WFE_NONCEREJECT: "50" } });

  test("issues all the same", async () => {
    const bed = createBed({ directory: pebble().directory, caRoots: tls().ca });
    const { step, slot } = bed.rotation(["nonce.contoso.com", "*.nonce.contoso.com"]);
    await untilDone(async () => await issue(step, dnsPublisher(bed.life, pebble().dns)));
    expect(verifyChain(slot.merged[0]!, await pebble().root(), slot.wanted.names)).toBe("");
  });
});

describe.skipIf(skipped)(`a pebble for external accounts only${where}`, () => {
  const key = Buffer.from("the key that the CA gave out by letter").toString("base64url");
  const secret = "https://kv.vault.azure.net/secrets/eab";
  const { pebble, tls } = usePebble({ externalAccounts: { "kid-1": key } });
  const bedFor = (more: object) =>
    createBed({ directory: pebble().directory, caRoots: tls().ca, ...more }, { secrets: { [secret]: key } });

  test("binds the account, by a key that is read only then, also after the account's key has a new version", async () => {
    const bed = bedFor({ eab: { kid: "kid-1", key: secret } });
    const { step, slot } = bed.rotation(["eab.contoso.com"]);
    await untilDone(async () => await issue(step, dnsPublisher(bed.life, pebble().dns)));
    expect(verifyChain(slot.merged[0]!, await pebble().root(), slot.wanted.names)).toBe("");
    const again = bed.rotation(["eab.contoso.com"]).step;
    await untilDone(async () => await issue(again, dnsPublisher(bed.life, pebble().dns)));
    bed.keys.turn(bed.target.account);
    const turned = bed.rotation(["eab.contoso.com"]).step;
    await untilDone(async () => await issue(turned, dnsPublisher(bed.life, pebble().dns)));
    expect(bed.life.calls.filter((call) => call === "secret")).toHaveLength(1);
    expect(JSON.stringify([...bed.notes])).not.toContain(key);
  });

  test("without one, preflight and the order say what to set", async () => {
    const bed = bedFor({});
    const { step } = bed.rotation(["eab.contoso.com"]);
    const publisher = dnsPublisher(bed.life, pebble().dns);
    for (const work of [observeIssuance(step, publisher), issue(step, publisher)]) {
      const fault = await faultOf(work);
      expect(fault).toMatchObject({ code: "TARGET_MISCONFIGURED", class: "permanent" });
      expect(fault.message).toContain("`eab`");
    }
  });
});

describe.skipIf(skipped)(`a pebble with three chains${where}`, () => {
  const { pebble, tls } = usePebble({ env: { PEBBLE_ALTERNATE_ROOTS: "2", PEBBLE_CHAIN_LENGTH: "2" } });

  test.each([0, 1, 2])("the preferred chain is merged: root %i", async (index) => {
    const root = await pebble().root(index);
    const preferredChain = /CN=(.*)/.exec(new X509Certificate(root).subject)![1]!;
    const bed = createBed({ directory: pebble().directory, caRoots: tls().ca, preferredChain });
    const { step, slot } = bed.rotation([`chain-${index}.contoso.com`]);
    await untilDone(async () => await issue(step, dnsPublisher(bed.life, pebble().dns)));
    expect(verifyChain(slot.merged[0]!, root, slot.wanted.names)).toBe("");
  });

  test("one that is not offered: the CA's own choice", async () => {
    const bed = createBed({ directory: pebble().directory, caRoots: tls().ca, preferredChain: "Nobody's Root" });
    const { step, slot } = bed.rotation(["chain.contoso.com"]);
    await untilDone(async () => await issue(step, dnsPublisher(bed.life, pebble().dns)));
    expect(verifyChain(slot.merged[0]!, await pebble().root(0), slot.wanted.names)).toBe("");
  });
});
