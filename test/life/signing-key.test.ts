import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { stepBeside } from "../../src/activities/beside.ts";
import { findSubject } from "../../src/activities/deps.ts";
import type { StepName } from "../../src/workflow/steps.ts";
import { storageAccount } from "./account.ts";
import { firstKey, keyVersions } from "./first.ts";
import { live, type LifeOptions } from "./live.ts";
import { type LifeObject, openObject, openWorld, type World } from "./world.ts";

// The whole life of a signing key that the app publishes: its tokens outlive it, and an emergency does not end its rotations.

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

const hour = 3_600_000;

/** A signing key with one signer, published by a server that stands in for the app's route; `fails` makes that answer 503. */
async function open(name: string, more: object = {}) {
  const source = await firstKey(world, name, "EC");
  const account = storageAccount(world.uri, name, source);
  let object: LifeObject | undefined;
  const seen = { fails: false };
  const server = createServer((_, response) => {
    void documentOf(object!).then((document) => {
      if (document === undefined || seen.fails) return response.writeHead(503).end();
      return response.writeHead(200, document.headers).end(document.body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const target = {
    algorithm: "ES256",
    url: `http://127.0.0.1:${port}/api/jwks/${name}`,
    cacheSeconds: 600,
    longestTokenLife: "PT12H",
  };
  const opened = openObject(world, {
    name,
    arm: account.arm,
    object: {
      kind: "key",
      rotator: { kind: "jwt-signing-key", strategy: "dual", target },
      grace: "PT14H",
      consumers: [account.consumer],
      ...more,
    },
  });
  object = opened;
  return { source, account, object: opened, server: seen };
}

async function partsOf(object: LifeObject) {
  const { deps } = object.app();
  const subject = (await findSubject(deps, object.id))!;
  return { subject, step: await stepBeside(deps, subject, "r-zzzzzzzzz-00000000", AbortSignal.timeout(9_000)) };
}
async function documentOf(object: LifeObject) {
  const { subject, step } = await partsOf(object);
  return await subject.rotator.document?.(step);
}
const published = async (object: LifeObject): Promise<string[]> => {
  const { keys } = JSON.parse((await documentOf(object))?.body ?? '{"keys":[]}') as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
};
async function withdraw(object: LifeObject, kid: string): Promise<void> {
  const { subject, step } = await partsOf(object);
  await subject.rotator.withdraw!(step, kid);
}

/** When each step ended well, by the cloud's clock. */
function timed(object: LifeObject): { readonly object: LifeObject; readonly at: Map<StepName, number> } {
  const at = new Map<StepName, number>();
  const app = () => {
    const { deps, activities } = object.app();
    const timedOnes = Object.entries(activities).map(([name, run]) => [
      name,
      async (input: never) => {
        const reply = await (run as (given: never) => Promise<{ ok: boolean }>)(input);
        if (reply.ok) at.set(name as StepName, world.clock.now());
        return reply;
      },
    ]);
    return { deps, activities: Object.fromEntries(timedOnes) as typeof activities };
  };
  return { object: { ...object, app }, at };
}

/** Somebody commands once, as soon as the rotation is in its grace. */
function inGrace(object: LifeObject, verb: "rollback" | "finish", version: string): LifeOptions {
  let asked = false;
  return {
    async meanwhile({ step }) {
      if (step !== "grace" || asked) return false;
      asked = true;
      object.command({ verb, rotationId: object.state().rotationId ?? "", version });
      return true;
    },
  };
}

const rotate = async (object: LifeObject, options?: LifeOptions) => {
  const vault = object.app().deps.zone(undefined).vault(world.uri, "key");
  return await live(world, object, (await vault.latest(object.id, AbortSignal.timeout(9_000))).version, options);
};

describe("tokens outlive the key that signed them", () => {
  test("a finish waits for those of the old key", async () => {
    const { object, source } = await open("finished");
    const { object: watched, at } = timed(object);
    const lived = await rotate(watched, inGrace(object, "finish", source));
    expect(lived.outcome).toBe("rotated");
    const left = at.get("revoke")! - at.get("verify")!;
    expect(left).toBeGreaterThanOrEqual(12 * hour + 60_000);
    // It does end the rest of the grace.
    expect(left).toBeLessThan(13 * hour);
  });

  test("a rollback waits for those of the candidate", async () => {
    const { object, source } = await open("turned-back");
    const { object: watched, at } = timed(object);
    const lived = await rotate(watched, inGrace(object, "rollback", source));
    expect(lived.outcome).toBe("rolled-back");
    expect(at.get("revoke")! - at.get("retreat")!).toBeGreaterThanOrEqual(12 * hour + 60_000);
    expect(await published(object)).toHaveLength(1);
  });

  test("one that somebody disables during the grace is taken out of the set all the same", async () => {
    const { object, source } = await open("switched-off");
    let kids: string[] = [];
    const lived = await rotate(object, {
      async meanwhile({ step }) {
        if (step !== "grace" || kids.length > 0) return false;
        kids = await published(object);
        await world.keys.updateKeyProperties("switched-off", source, { enabled: false });
        return true;
      },
    });
    expect(kids).toHaveLength(2);
    expect(lived).toMatchObject({ outcome: "rotated" });
    await world.keys.updateKeyProperties("switched-off", source, { enabled: true });
    expect(await published(object)).toEqual([kids[1]]);
  });

  test("consumers are waited for no longer than before", async () => {
    const { object } = await open("patient");
    const unmoved: LifeObject = {
      ...object,
      app() {
        const { deps, activities } = object.app();
        return {
          deps,
          activities: {
            ...activities,
            verify: async (input) =>
              input.back === undefined
                ? {
                    ok: false,
                    fault: { code: "CONSUMER_NOT_MOVED", class: "transient", message: "It has not moved." },
                    proofs: [],
                  }
                : await activities.verify(input),
          },
        };
      },
    };
    const begun = world.clock.now();
    let turned = 0;
    await rotate(unmoved, {
      async meanwhile({ step }) {
        if (step === "lag") turned ||= world.clock.now();
        return false;
      },
    });
    expect(turned - begun).toBeLessThan(hour);
  });
});

test("its readers may not follow the newest version, whatever rollback is set to", async () => {
  const account = storageAccount(world.uri, "follower", "v", { newest: async () => "v" });
  await expect(open("follower", { rollback: "reissue", consumers: [account.consumer] })).rejects.toThrow(
    /consumers\[0\].reads.*is latest.*pinned/,
  );
  // Preflight does not take the policy's word for it.
  const { object } = await open("follows-late", { rollback: "reissue" });
  Object.assign(object.parsed.policy!.objects[0]!.consumers[0]!, { reads: "latest" });
  const lived = await rotate(object);
  expect([lived.outcome, lived.fault?.code]).toEqual(["refused", "CONSUMER_MISCONFIGURED"]);
  expect(await keyVersions(world, "follows-late")).toHaveLength(1);
});

describe("after an emergency", () => {
  test("the current key was withdrawn: the next rotation replaces it, and never publishes it again", async () => {
    const { object, account } = await open("withdrawn");
    expect((await rotate(object)).outcome).toBe("rotated");
    const [gone = ""] = await published(object);
    await withdraw(object, gone);
    expect(await published(object)).toEqual([]);
    const seen = new Set<string>();
    const lived = await rotate(object, {
      async meanwhile() {
        for (const kid of await published(object)) seen.add(kid);
        return false;
      },
    });
    expect([lived.outcome, lived.failures.filter((text) => !text.includes("NOT_SETTLED"))]).toEqual(["rotated", []]);
    expect(seen.size).toBe(1);
    expect(seen).not.toContain(gone);
    expect(await published(object)).toEqual([...seen]);
    expect(account.uses()).toBe((await keyVersions(world, "withdrawn"))[0]?.version);
    const [evidence] = [...object.evidence].filter(([blob]) => blob.startsWith(lived.rotationId));
    expect(evidence?.[1]).toContain("the current key was withdrawn");
  });

  test("its rotation fails before anybody moved: it is turned back, and the next one goes through", async () => {
    const { object, account, server } = await open("fails-once");
    expect((await rotate(object)).outcome).toBe("rotated");
    const held = account.uses();
    const [gone = ""] = await published(object);
    await withdraw(object, gone);
    server.fails = true;
    const lived = await rotate(object);
    expect([lived.outcome, lived.fault?.code]).toEqual(["rolled-back", "TARGET_UNREACHABLE"]);
    expect([account.uses(), await published(object)]).toEqual([held, []]);
    server.fails = false;
    world.clock.advance(24 * hour);
    expect((await rotate(object)).outcome).toBe("rotated");
    expect(await published(object)).toHaveLength(1);
    expect(await published(object)).not.toContain(gone);
  });

  test("nobody is moved back to it", async () => {
    const { object, account, source } = await open("no-way-back");
    expect((await rotate(object)).outcome).toBe("rotated");
    const [gone = ""] = await published(object);
    await withdraw(object, gone);
    const lived = await rotate(object, inGrace(object, "rollback", source));
    expect([lived.outcome, lived.fault?.code]).toEqual(["failed", "ROLLBACK_IMPOSSIBLE"]);
    expect(account.uses()).toBe((await keyVersions(world, "no-way-back"))[0]?.version);
    expect(await published(object)).toHaveLength(1);
    world.clock.advance(24 * hour);
    expect((await rotate(object)).outcome).toBe("rotated");
  });

  test("the new key was withdrawn in the grace: the old one is not taken away, and a rollback goes back to it", async () => {
    const { object, account, source } = await open("new-one-gone");
    let asked = false;
    const lived = await rotate(object, {
      async meanwhile({ step }) {
        if (step !== "held" || asked) {
          if (step === "grace") await withdraw(object, (await published(object))[1] ?? "none");
          return false;
        }
        asked = true;
        object.command({ verb: "rollback", rotationId: object.state().rotationId ?? "", version: source });
        return true;
      },
    });
    expect([lived.outcome, asked]).toEqual(["rolled-back", true]);
    expect(account.uses()).toBe(source);
    expect(await published(object)).toHaveLength(1);
  });

  test("a key that is merely missing from the set is still refused", async () => {
    const { object } = await open("missing");
    expect((await rotate(object)).outcome).toBe("rotated");
    const next = await world.keys.rotateKey("missing");
    world.clock.advance(2_000);
    const lived = await live(world, object, next.properties.version ?? "");
    expect(lived.outcome).toBe("refused");
  });
});
