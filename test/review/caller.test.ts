import type { HttpRequest } from "@azure/functions";
import { describe, expect, it } from "vitest";
import { callerOf, requireRight, type Right } from "../../src/triggers/api/caller.ts";
import type { Access } from "../../src/config.ts";
import type { Actor } from "../../src/store/types.ts";

const access: Access = {
  appServiceAuth: true,
  readerRole: "Pinion.Reader",
  operatorRole: "Pinion.Operator",
  commandAuthority: "entra",
};
const off: Access = { ...access, appServiceAuth: false };
const request = (principal?: object) => {
  const header = Buffer.from(JSON.stringify(principal ?? {})).toString("base64");
  const headers = new Headers(principal === undefined ? {} : { "x-ms-client-principal": header });
  return { headers } as unknown as HttpRequest;
};
const id = "dddddddd-0000-4000-8000-000000000001";
const claims = [
  { typ: "oid", val: id },
  { typ: "roles", val: "Pinion.Operator" },
];

it("believes roles of Entra ID only: another provider's users could bring a claim of the same name", () => {
  expect(callerOf(request({ auth_typ: "aad", claims }), access)?.roles).toEqual(["Pinion.Operator"]);
  for (const auth_typ of ["github", "", undefined])
    expect(() => callerOf(request({ auth_typ, claims }), access)).toThrow("names no Entra object id");
});

it("takes nobody without a principal for the holder of a key, where the host asks for none", () => {
  expect(callerOf(request(), access)).toBeUndefined();
  expect(callerOf(request(), off)).toEqual({ kind: "key", id: "function key", roles: [] });
  expect(() => callerOf(request({ auth_typ: "aad", claims }), off)).toThrow("nobody vouches for it");
});

describe("a service principal is an app, with its roles, whether or not its token says so", () => {
  const subject = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier";
  it.each([
    ["app", [{ typ: "idtyp", val: "app" }]],
    ["app", [{ typ: subject, val: id }]],
    ["app", [{ typ: "sub", val: id }]],
    ["person", [{ typ: "sub", val: "a-name-for-this-app-only" }]],
    [
      "person",
      [
        { typ: "idtyp", val: "user" },
        { typ: "sub", val: id },
      ],
    ],
    ["person", []],
  ])("%s: %j", (kind, more) => {
    const caller = callerOf(request({ auth_typ: "aad", claims: [...claims, ...more] }), access);
    expect(caller).toEqual({ kind, id, roles: ["Pinion.Operator"] });
  });
});

describe("rights", () => {
  const somebody = (...roles: string[]): Actor => ({ kind: "person", id, roles });
  const key: Actor = { kind: "key", id: "function key", roles: [] };
  const rights = ["read", "start", "command"] as const satisfies readonly Right[];
  it.each<[string, Actor | undefined, Access, readonly Right[], string]>([
    ["nobody", undefined, access, [], "UNAUTHORIZED"],
    ["somebody without a role", somebody(), access, [], "FORBIDDEN"],
    ["a role in other letters", somebody("pinion.operator"), access, [], "FORBIDDEN"],
    ["a reader", somebody("Pinion.Reader"), access, ["read"], "FORBIDDEN"],
    ["an operator", somebody("Pinion.Operator"), access, rights, ""],
    ["a key", key, off, ["read", "start"], "FORBIDDEN"],
    ["a key of a cloud on this machine", key, { ...off, commandAuthority: "keys" }, rights, ""],
  ])("%s", (_name, actor, by, granted, code) => {
    for (const right of rights) {
      if (granted.includes(right)) expect(requireRight(actor, right, by)).toBe(actor);
      else expect(() => requireRight(actor, right, by)).toThrow(expect.objectContaining({ code }));
    }
  });

  it("are refused with the role to ask for", () => {
    expect(() => requireRight(somebody(), "read", access)).toThrow(/Pinion\.Reader \(or Pinion\.Operator\)/);
    expect(() => requireRight(somebody("Pinion.Reader"), "start", access)).toThrow(
      /takes the Entra app role Pinion\.Operator/,
    );
  });
});
