import { describe, expect, test } from "vitest";
import { parsePolicy } from "../src/policy-file.ts";
import type { PolicyFault } from "../src/policy-faults.ts";
import { consumer, facts, file, inPlace, object, siteId } from "./policy-sample.ts";

const faultsOf = (...objects: unknown[]): readonly PolicyFault[] => parsePolicy(file(objects), facts).faults;

describe("objects that contradict one another: neither runs, the rest does", () => {
  const conflict = (first: unknown, second: unknown) => {
    const { policy, faults } = parsePolicy(file([first, object("rest"), second]), facts);
    expect(policy?.objects.map(({ id }) => id)).toEqual(["rest"]);
    return faults.map(({ path, message }) => `${path} ${message}`);
  };

  test("one id", () => {
    expect(
      conflict(object("a", { name: "n1" }), object("a", { name: "n2", rotator: object("b").rotator, consumers: [] })),
    ).toEqual([
      "objects[0].id claims the id a, which is claimed also by objects[2]",
      "objects[2].id claims the id a, which is claimed also by objects[0]",
    ]);
  });

  test("one secret, in whatever case", () => {
    expect(conflict(object("a", { name: "Same" }), object("b", { name: "same" }))).toEqual([
      "objects[0].name claims the secret Same in the vault orders, which is claimed also by objects[2]",
      "objects[2].name claims the secret same in the vault orders, which is claimed also by objects[0]",
    ]);
  });

  test("one setting of one site; another slot is another setting", () => {
    const site = (slot?: string) => ({
      consumers: [consumer("c", { resourceId: siteId("Shop"), ...(slot === undefined ? {} : { slot }) })],
    });
    expect(
      conflict(object("a", site()), object("b", { consumers: [consumer("d", { resourceId: siteId("shop") })] })),
    ).toEqual([
      "objects[0].consumers[0].setting claims the setting DB of that site, which is claimed also by objects[2]",
      "objects[2].consumers[0].setting claims the setting DB of that site, which is claimed also by objects[0]",
    ]);
    expect(faultsOf(object("a", site()), object("b", site("staging")))).toEqual([]);
    const twice = { consumers: [consumer("shop"), consumer("d", { resourceId: siteId("shop") })] };
    expect(faultsOf(object("a", twice)).map(({ message }) => message)).toEqual(
      Array(2).fill("claims the setting DB of that site, which is claimed twice"),
    );
  });

  test("one account, even in part, and even when one of the two is broken elsewhere", () => {
    const other = object("b", { rotator: { ...inPlace("a_b") }, acceptGap: true });
    expect(conflict(object("a"), other)).toEqual([
      "objects[0].rotator.target is on the same account as b: a rotation of one would break the other",
      "objects[2].rotator.target is on the same account as a: a rotation of one would break the other",
    ]);
    expect(conflict(object("a"), { ...other, grace: "?" })[0]).toContain("on the same account as b");
  });

  test("one account is fine for two that name each other, and only for them", () => {
    const shared = { rotator: object("x").rotator };
    const [a, b] = [object("a", { ...shared, pairedWith: ["b"] }), object("b", { ...shared, pairedWith: ["a"] })];
    expect(faultsOf(a, b)).toEqual([]);
    expect(faultsOf(a, object("b", shared)).map(({ path }) => path)).toEqual([
      "objects[0].pairedWith[0]",
      "objects[0].rotator.target",
      "objects[1].rotator.target",
    ]);
    expect(faultsOf(a, b, object("c", shared)).map(({ path }) => path)).toEqual(
      [0, 1, 2].map((at) => `objects[${at}].rotator.target`),
    );
    expect(
      faultsOf(object("a", { pairedWith: ["b"] }), object("b", { pairedWith: ["a"] })).map(({ message }) => message),
    ).toEqual([`is "b", which is on another account`, `is "a", which is on another account`]);
    expect(faultsOf(object("a", { pairedWith: ["a"] }))).toMatchObject([{ path: "objects[0].pairedWith[0]" }]);
  });
});
