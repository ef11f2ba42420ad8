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

  test("one key of one resource; the keys of a namespace are several", () => {
    const at = (type: string) =>
      `/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/${type}`;
    const holder = (id: string, kind: string, type: string) => ({
      consumers: [{ kind, id, resourceId: at(type), reads: "pinned", lag: "PT0S" }],
    });
    const both = (kind: string, type: string) =>
      faultsOf(
        object("a", holder("c", kind, type)),
        object("b", holder("d", kind, type.replace("crosoft.S", "crosoft.s"))),
      )
        .filter(({ message }) => message.startsWith("claims"))
        .map(({ path, message }) => `${path} ${message}`);
    expect(both("storage-account", "Microsoft.Storage/storageAccounts/orders")).toEqual([
      "objects[0].consumers[0].resourceId claims the key of that storage account, which is claimed also by objects[1]",
      "objects[1].consumers[0].resourceId claims the key of that storage account, which is claimed also by objects[0]",
    ]);
    expect(both("service-bus", "Microsoft.ServiceBus/namespaces/orders")).toEqual([]);
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
