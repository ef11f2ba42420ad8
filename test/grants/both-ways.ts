import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bed, type Life, type Lived, liveWhole, openBed } from "./bed.ts";
import { type Held, isWithin, shortOf, uncovered, unused } from "./judge.ts";

/** What a whole life may hold and not use, by role and action; `in`: in which lives. */
const spared: readonly {
  readonly role: string;
  readonly action: RegExp;
  readonly in?: RegExp;
  readonly why: string;
}[] = [
  {
    role: "key",
    action: /\/keys\/(sign|verify|wrap|unwrap)\/action$/,
    why: "a key tells what it may be used for, and a policy does not: RSA wraps and unwraps, another kind signs and verifies, and one that signs tokens signs alone",
  },
  {
    role: "sign-key",
    action: /\/keys\/sign\/action$/,
    in: /, the vault asks by itself$/,
    why: "whether the key may leave the vault is for the vault's own policy to say: there it is read, and not signed with",
  },
];

/** At a place in a resource group that is asked about too, the right to ask is there twice. */
const isTwice = (one: Held, all: readonly Held[]): boolean =>
  one.role === "read-permissions" && all.some((other) => isAbove(other, one));
const isAbove = (other: Held, one: Held): boolean =>
  other.role === one.role && other.scope !== one.scope && isWithin(other.scope, one.scope);

const isSpared = ({ role, action }: Held, life: string): boolean =>
  spared.some((one) => one.role === role && one.action.test(action) && (one.in ?? /./).test(life));
const shown = ({ role, action, scope }: Held): string => `${role}: ${action} at ${shortOf(scope)}`;

/** One life for each way in which something is declared: what it is of (a kind of consumer, a rotator), in which form. */
export type Lives = readonly (readonly [of: string, form: string, life: () => Life])[];

/**
 * Every life calls what is declared, all of it and nothing else; without any one action it would be refused. Gives what was lived, for
 * tests that come after.
 */
export function declaredIsCalled(lives: Lives): readonly (Lived & { readonly of: string })[] {
  let bed: Bed;
  beforeAll(async () => void (bed = await openBed()));
  afterAll(async () => await bed.close());
  const all: (Lived & { readonly of: string })[] = [];

  describe.each(lives)("%s, %s", (of, form, life) => {
    let lived: Lived;
    beforeAll(async () => {
      lived = await liveWhole(bed, life());
      all.push({ ...lived, of });
    }, 120_000);

    test("a whole life ends well with what is declared", () => {
      const others = lived.failures.filter((one) => !/CONSUMER_NOT_MOVED|ISSUANCE_PENDING|NOT_SETTLED/.test(one));
      expect([lived.outcomes, others]).toEqual([["rotated", "rolled-back"], []]);
    });

    test("every call is covered", () => {
      expect(uncovered(lived.calls, lived.rotation)).toEqual([]);
      expect(uncovered(lived.swept, lived.sweep)).toEqual([]);
    });

    test("every action that is declared is used where it is declared", () => {
      const idle = unused([...lived.calls, ...lived.swept], lived.sweep);
      expect(idle.filter((one) => !isSpared(one, `${of}, ${form}`)).map(shown)).toEqual([]);
    });

    test("without any one of them a call is not covered", () => {
      const needed = lived.sweep.filter((one) => !unused([...lived.calls, ...lived.swept], [one]).includes(one));
      for (const taken of needed.filter((one) => !isTwice(one, needed))) {
        const without = (held: readonly Held[]) => held.filter((one) => one !== taken);
        const faults = [
          ...uncovered(lived.calls, without(lived.rotation)),
          ...uncovered(lived.swept, without(lived.sweep)),
        ];
        expect([shown(taken), faults.length > 0]).toEqual([shown(taken), true]);
      }
    });
  });
  return all;
}
