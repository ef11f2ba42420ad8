import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ChallengeRecord, ChallengeStep, Challenger } from "../../rotators/shared/dns/provider.ts";
import { valueOf } from "./step.ts";

/** A challenger with a place of its own to write to. */
export interface Subject<T> {
  readonly challenger: Challenger<T>;
  /** `silent`: the service takes the connection and never answers; `refused`: the credential is a wrong one. */
  readonly step: (how: "as it should be" | "refused" | "silent", signal: AbortSignal) => ChallengeStep<T>;
  /** The place of a challenge, another one for each number: a name, or a token of it. */
  readonly record: (place: number, value: string) => ChallengeRecord;
  /** What is there now. */
  readonly values: (place: ChallengeRecord) => Promise<readonly string[]>;
  /** Puts somebody else's value there. */
  readonly foreign: (place: ChallengeRecord) => Promise<void>;
  /** The wrong credential of `refused`, which no error may quote. */
  readonly wrongSecret: string;
  /** `values`: all stay until they are taken away; `last two`: as acme-dns; `one`: a place has one value. */
  readonly keeps: "values" | "last two" | "one";
  readonly stop: () => Promise<void>;
}

/** The same promises for every challenger. */
export function challengerContract<T>(title: string, skip: boolean, start: () => Promise<Subject<T>>): void {
  describe.skipIf(skip)(`Challenger contract: ${title}`, () => {
    let subject: Subject<T>;
    let place = 0;
    beforeAll(async () => void (subject = await start()));
    afterAll(async () => await subject?.stop());
    beforeEach(() => void (place += 1));

    const [a, b] = [valueOf("a"), valueOf("b")];
    const step = () => subject.step("as it should be", new AbortController().signal);
    const publish = async (value: string) => await subject.challenger.publish(step(), subject.record(place, value));
    const withdraw = async (value: string) => await subject.challenger.withdraw(step(), subject.record(place, value));
    const visible = async (value: string) => await subject.challenger.visible(step(), subject.record(place, value));
    const values = async () => (await subject.values(subject.record(place, a))).toSorted();
    const clears = () => subject.keeps !== "last two";

    test("published twice is there once, and visible", async () => {
      expect((await visible(a)).everywhere).toBe(false);
      await publish(a);
      await publish(a);
      expect(await values()).toContain(a);
      expect((await values()).filter((one) => one === a)).toHaveLength(1);
      expect(await visible(a)).toEqual({ everywhere: true, detail: "The only server shows it." });
      await withdraw(a);
      expect((await values()).includes(a)).toBe(!clears());
    });

    test("published twice at the same moment is there once", async () => {
      if (subject.keeps === "last two") return;
      await Promise.all([publish(a), publish(a), publish(a)]);
      expect(await values()).toEqual([a]);
      await Promise.all([withdraw(a), withdraw(a)]);
      expect(await values()).toEqual([]);
    });

    test("somebody else's value stays", async () => {
      const record = subject.record(place, valueOf("f"));
      await subject.foreign(record);
      const before = await subject.values(record);
      await publish(a);
      await publish(a);
      expect(await values()).toEqual(expect.arrayContaining([a, ...(subject.keeps === "one" ? [] : before)]));
      await withdraw(a);
      expect(await subject.values(record)).toEqual(expect.arrayContaining([...before]));
    });

    test("of two values exactly one is taken away, and twice is once", async () => {
      if (subject.keeps === "one") return;
      await publish(a);
      await publish(b);
      await publish(a);
      expect(await values()).toEqual([a, b]);
      await withdraw(a);
      await withdraw(a);
      expect(await values()).toEqual(clears() ? [b] : [a, b]);
      await withdraw(b);
      expect(await values()).toEqual(clears() ? [] : [a, b]);
    });

    test("a value comes and goes at the place that was noted, wherever the name leads by now", async () => {
      if (subject.keeps !== "values") return;
      const noted = subject.record(place + 500, a);
      const record = { ...subject.record(place, a), place: noted.name };
      await subject.challenger.publish(step(), record);
      expect([await subject.values(noted), await values()]).toEqual([[a], []]);
      await subject.challenger.withdraw(step(), record);
      expect(await subject.values(noted)).toEqual([]);
    });

    test("what was never there is withdrawn without a word", async () => {
      await expect(withdraw(valueOf("n"))).resolves.toBeUndefined();
    });

    test("a wrong credential is told clearly, and not quoted", async () => {
      const at = subject.step("refused", new AbortController().signal);
      const error: unknown = await subject.challenger
        .publish(at, subject.record(place, valueOf("w")))
        .catch((one: unknown) => one);
      expect(error).toMatchObject({ name: "PinionError", code: "TARGET_FORBIDDEN" });
      const told = `${(error as Error).message} ${JSON.stringify(error)} ${String((error as Error).cause)}`;
      expect(told).not.toContain(subject.wrongSecret);
      expect((await values()).includes(valueOf("w"))).toBe(false);
    });

    test("an aborted step ends at once, before it begins and in the middle", async () => {
      const reason = new Error("the lease is lost");
      const record = subject.record(place, valueOf("w"));
      await expect(
        subject.challenger.publish(subject.step("as it should be", AbortSignal.abort(reason)), record),
      ).rejects.toBe(reason);
      expect((await values()).includes(valueOf("w"))).toBe(false);
      const control = new AbortController();
      const began = performance.now();
      setTimeout(() => control.abort(reason), 200);
      await expect(subject.challenger.publish(subject.step("silent", control.signal), record)).rejects.toBe(reason);
      expect(performance.now() - began).toBeLessThan(3000);
    });
  });
}
