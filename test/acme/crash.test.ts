import { afterAll, describe, expect, test } from "vitest";
import { ensureAccount } from "../../rotators/shared/acme/account.ts";
import { withClient } from "../../rotators/shared/acme/client.ts";
import { abandon, issue } from "../../rotators/shared/acme/issue.ts";
import { createBed, untilDone } from "./bed.ts";
import type { Bed, Rotation } from "./bed.ts";
import { createLife } from "./life.ts";
import type { Life } from "./life.ts";
import { verifyChain } from "./openssl.ts";
import { skipped, usePebble, where } from "./pebble.ts";
import { openProxy } from "./proxy.ts";
import type { Proxy } from "./proxy.ts";
import { dnsPublisher } from "./publisher.ts";
import type { WatchedPublisher } from "./publisher.ts";

// Promise 2: the process dies after any call to the outside, and the certificate is made as if nothing had happened.

describe.skipIf(skipped)(`a death after every outside call${where}`, () => {
  const { pebble, tls } = usePebble({ env: { PEBBLE_WFE_NONCEREJECT: "0", PEBBLE_AUTHZREUSE: "0" } });
  const proxies: Proxy[] = [];
  afterAll(() => {
    for (const proxy of proxies) proxy.close();
  });

  interface World {
    readonly bed: Bed;
    readonly life: Life;
    readonly proxy: Proxy;
    readonly publisher: WatchedPublisher;
    readonly rotation: Rotation;
  }

  async function world(names: readonly string[]): Promise<World> {
    const life = createLife();
    const proxy = await openProxy(life, pebble().directory, tls());
    proxies.push(proxy);
    const bed = createBed({ directory: proxy.directory, caRoots: tls().ca }, { life });
    return { bed, life, proxy, publisher: dnsPublisher(life, pebble().dns), rotation: bed.rotation(names) };
  }

  /** One process after the other, the first of which dies at its so-manieth call, until the certificate is there. */
  async function withDeathAt(
    call: number,
    { life, publisher, rotation: { step } }: World,
    work: () => Promise<unknown> = async () => await issue(step, publisher),
  ): Promise<boolean> {
    life.dieAt(call);
    await untilDone(work).catch((error: unknown) => {
      if (life.alive()) throw error;
    });
    const died = !life.alive();
    life.begin();
    await untilDone(work);
    return died;
  }

  test("one order, one key pair, one merge, no value left", { timeout: 300_000 }, async () => {
    for (let call = 1; ; call++) {
      const names = [`crash-${call}.contoso.com`, `*.crash-${call}.contoso.com`];
      const at = await world(names);
      const died = await withDeathAt(call, at);
      const { bed, life, proxy, publisher, rotation } = at;
      const death = `at call ${call} (${life.calls[call - 1]})`;
      expect({
        death,
        orders: life.calls.filter((one) => one.endsWith("order-plz")).length,
        keyPairs: rotation.slot.begun(),
        merged: rotation.slot.merged.length,
        published: publisher.published.size,
        left: await publisher.left(),
        notes: [...bed.notes.keys()].sort(),
      }).toEqual({
        death,
        orders: 1,
        keyPairs: 1,
        merged: 1,
        published: 2,
        left: [],
        notes: ["acme-account", "acme-history"],
      });
      expect(verifyChain(rotation.slot.merged[0]!, await pebble().root(), names)).toBe("");
      proxy.close();
      if (!died) {
        expect(call).toBeGreaterThan(40);
        return;
      }
    }
  });

  test("a new version of the account's key: one account, whose key is changed once", { timeout: 300_000 }, async () => {
    for (let call = 1; ; call++) {
      const at = await world([`turn-${call}.contoso.com`]);
      const { bed, life, proxy, publisher, rotation } = at;
      const ensure = async () => await withClient(rotation.step, async (it) => await ensureAccount(rotation.step, it));
      await ensure();
      const account = () => (JSON.parse(bed.notes.get("acme-account")!) as { kid: string }).kid;
      const registered = account();
      bed.keys.turn(bed.target.account);
      const before = life.calls.length;
      // What follows the account dies in the test above.
      const died = await withDeathAt(call, at, ensure);
      await untilDone(async () => await issue(rotation.step, publisher));
      const death = `at call ${call} (${life.calls[before + call - 1]})`;
      expect({
        death,
        account: account(),
        registrations: proxy.seen.filter((one) => one === "POST /sign-me-up 201").length,
        changes: life.calls.filter((one) => one === "POST /rollover").length,
        orders: life.calls.filter((one) => one.endsWith("order-plz")).length,
        merged: rotation.slot.merged.length,
        left: await publisher.left(),
      }).toEqual({ death, account: registered, registrations: 1, changes: 1, orders: 1, merged: 1, left: [] });
      proxy.close();
      if (!died) {
        expect(call).toBeGreaterThan(15);
        return;
      }
    }
  });

  test("abandoned after a death at any call: no value left", { timeout: 300_000 }, async () => {
    for (let call = 1; ; call++) {
      const at = await world([`stop-${call}.contoso.com`]);
      const { bed, life, publisher, proxy } = at;
      const { step } = at.rotation;
      life.dieAt(call);
      await untilDone(async () => await issue(step, publisher)).catch(() => undefined);
      const died = !life.alive();
      life.begin();
      const death = `at call ${call} (${life.calls[call - 1]})`;
      for (const times of [1, 2]) {
        await untilDone(async () => await abandon(step, publisher));
        const notes = [...bed.notes.keys()].filter((name) => /order|values/.test(name));
        expect({ death, times, left: await publisher.left(), notes }).toEqual({ death, times, left: [], notes: [] });
      }
      proxy.close();
      if (!died) return;
    }
  });
});
