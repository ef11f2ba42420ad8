import type { HttpRequest } from "@azure/functions";
import { expect, it } from "vitest";
import { callerOf } from "../../src/triggers/api/caller.ts";
import type { Config } from "../../src/config.ts";

const config = { appServiceAuth: true, operatorRole: "Pinion.Operator" } as Config;
const request = (principal: object) => {
  const header = Buffer.from(JSON.stringify(principal)).toString("base64");
  return { headers: new Headers({ "x-ms-client-principal": header }) } as unknown as HttpRequest;
};
const claims = [
  { typ: "oid", val: "dddddddd-0000-4000-8000-000000000001" },
  { typ: "roles", val: "Pinion.Operator" },
];

it("believes roles of Entra ID only: another provider's users could bring a claim of the same name", () => {
  expect(callerOf(request({ auth_typ: "aad", claims }), config).roles).toEqual(["Pinion.Operator"]);
  for (const auth_typ of ["github", "", undefined])
    expect(() => callerOf(request({ auth_typ, claims }), config)).toThrow("names no Entra object id");
});
