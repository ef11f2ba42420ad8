import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startBind } from "../../local/targets/bind.ts";
import type { BindServer } from "../../local/targets/bind.ts";
import { startPebble } from "../../local/targets/pebble.ts";
import type { Pebble } from "../../local/targets/pebble.ts";
import { ensureTls } from "../../local/tls.ts";
import type { Tls } from "../../local/tls.ts";
import { issue } from "../../rotators/shared/acme/issue.ts";
import { challengeConfig, publisherOf } from "../../rotators/shared/challenge.ts";
import type { ChallengeRecord } from "../../rotators/shared/dns/provider.ts";
import { ask, parseServer } from "../../rotators/shared/dns/query.ts";
import { createBed, untilDone } from "../acme/bed.ts";
import { verifyChain } from "../acme/openssl.ts";
import { skipped as pebbleIsMissing, where } from "../acme/pebble.ts";
import { bindIsMissing, needsBind } from "./bind.ts";
import { startNameServer } from "./name-server.ts";
import { portsOf } from "./step.ts";

// A real CA asks a real name server for what RFC 2136 put there.

const secretUrl = "https://kv.vault.azure.net/secrets/tsig";
const key = { name: "pinion", algorithm: "hmac-sha512", secret: randomBytes(64).toString("base64") };

describe.skipIf(bindIsMissing || pebbleIsMissing)(`pebble and BIND${where}${needsBind}`, () => {
  let dir: string;
  let tls: Tls;
  let bind: BindServer;
  let pebble: Pebble;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "pinion-issue-"));
    tls = await ensureTls(join(dir, "tls"), { now: () => Date.now() });
    bind = await startBind({
      dir: join(dir, "bind"),
      keys: [key],
      zones: [
        // BIND follows a CNAME within its zone only; without recursion it asks nobody else.
        {
          name: "contoso.com",
          updatedBy: ["pinion"],
          records: [
            "@ NS ns1",
            "ns1 A 127.0.0.1",
            "_acme-challenge.shop CNAME shop.validation",
            "_acme-challenge.moved CNAME moved.validation",
          ],
        },
      ],
    });
    pebble = await startPebble({ dir: join(dir, "pebble"), tls, nameServer: bind.address });
  });
  afterAll(async () => {
    await pebble?.stop();
    await bind?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Values are written to the name server; `resolver` is asked where their names lead. */
  const publisherBy = (resolver: string) => {
    const { algorithm, name } = key;
    const config = challengeConfig.parse({
      kind: "rfc2136",
      server: bind.host,
      port: bind.port,
      key: { name, algorithm, secret: secretUrl },
      resolvers: [resolver],
      servers: [bind.address],
    });
    const ports = portsOf({ secrets: { [secretUrl]: key.secret } });
    return publisherOf(config, { ports, signal: AbortSignal.timeout(50_000) });
  };

  test("a name with its wildcard, and one whose challenge is delegated: issued, and no value left", async () => {
    const publisher = publisherBy(bind.address);
    const bed = createBed({ directory: pebble.directory, caRoots: tls.ca });
    const names = ["www.contoso.com", "*.www.contoso.com", "shop.contoso.com"];
    const { step, slot } = bed.rotation(names);
    await untilDone(async () => await issue(step, publisher));
    verifyChain(slot.merged[0]!, await pebble.root(), names);
    for (const place of ["_acme-challenge.www.contoso.com", "shop.validation.contoso.com"]) {
      const signal = AbortSignal.timeout(10_000);
      const { answers } = await ask(
        parseServer(bind.address),
        { name: place, type: "TXT" },
        { recurse: false, signal },
      );
      expect(answers).toEqual([]);
    }
    // Three values came, and each went alone.
    expect(bind.log().match(/adding an RR at '[^']+' TXT/g)).toHaveLength(3);
    expect(bind.log().match(/deleting an RR at [^ ]+ TXT/g)).toHaveLength(3);
  });

  test("a CNAME that is changed while the order is open orphans no value", async () => {
    let leads = "moved.validation.contoso.com";
    const resolver = await startNameServer((asked, type) =>
      type === "CNAME" && asked === "_acme-challenge.moved.contoso.com" ? [{ type, name: asked, data: leads }] : [],
    );
    const publisher = publisherBy(resolver.address);
    const bed = createBed({ directory: pebble.directory, caRoots: tls.ca });
    const { step, slot } = bed.rotation(["moved.contoso.com"]);
    const changed = {
      ...publisher,
      withdraw: async (record: ChallengeRecord) => {
        leads = "elsewhere.validation.contoso.com";
        await publisher.withdraw(record);
      },
    };
    await untilDone(async () => await issue(step, changed));
    await resolver.stop();
    expect(slot.merged).toHaveLength(1);
    const signal = AbortSignal.timeout(10_000);
    const question = { name: "moved.validation.contoso.com", type: "TXT" } as const;
    expect((await ask(parseServer(bind.address), question, { recurse: false, signal })).answers).toEqual([]);
    expect(bind.log()).toContain("adding an RR at 'moved.validation.contoso.com' TXT");
  });
});
