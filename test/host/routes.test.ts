import { describe, expect, test } from "vitest";
import { compileRoute } from "../../local/host/routes.ts";

const cases: [template: string, path: string, result: Record<string, string> | null][] = [
  ["api/things", "api/things", {}],
  ["api/things", "API/Things/", {}],
  ["api/things", "api/things/1", null],
  ["api/{name}", "api/a%20b", { name: "a b" }],
  ["api/{name}", "api/a%2Fb", { name: "a/b" }],
  ["api/{name}", "api/", null],
  ["api/{name}", "api/%zz", null],
  ["api/{name}", "api/a/b", null],
  ["api/{id:int}", "api/-12", { id: "-12" }],
  ["api/{id:int}", "api/2147483648", null],
  ["api/{id:long}", "api/2147483648", { id: "2147483648" }],
  ["api/{id:int}", "api/1.5", null],
  ["api/{id:guid}", "api/6f9619ff-8b86-d011-b42d-00c04fc964ff", { id: "6f9619ff-8b86-d011-b42d-00c04fc964ff" }],
  ["api/{id:guid}", "api/6F9619FF8B86D011B42D00C04FC964FF", { id: "6F9619FF8B86D011B42D00C04FC964FF" }],
  ["api/{id:guid}", "api/6f9619ff-8b86-d011-b42d", null],
  ["api/{id?}", "api", {}],
  ["api/{id?}", "api/7", { id: "7" }],
  ["api/{id:int?}", "api/x", null],
  ["api/{id=5}", "api", { id: "5" }],
  ["api/{*rest}", "api", {}],
  ["api/{*rest}", "api/a/b%20c", { rest: "a/b c" }],
  ["{*rest}", "", {}],
  ["", "", {}],
  ["", "x", null],
  ["api/v{major}.json", "api/v2.json", { major: "2" }],
  ["api/v{major:int}.json", "api/vx.json", null],
  ["api/{a}-{b}", "api/x-y", { a: "x", b: "y" }],
  ["api/{id:range(1,3)}", "api/4", null],
  ["api/{id:min(2):max(4)}", "api/4", { id: "4" }],
  ["api/{name:length(2)}", "api/abc", null],
  ["api/{name:regex(^a.c$)}", "api/abc", { name: "abc" }],
  ["api/a.b", "api/axb", null],
];

describe("a route template", () => {
  test.each(cases)("%s with %s", (template, path, result) => {
    expect(compileRoute(template).match(path)).toEqual(result);
  });

  test("with an unknown constraint is refused", () => {
    expect(() => compileRoute("api/{id:even}")).toThrow('The route constraint "even" is not known.');
    expect(() => compileRoute("api/{id:regex(^a{{2}}$)}")).toThrow("braces that do not match");
  });

  test("that says more comes before one that says less", () => {
    const templates = ["api/{*rest}", "api/{name}", "api/{id:int}", "api/special"];
    const sorted = templates.toSorted((a, b) => (compileRoute(a).precedence < compileRoute(b).precedence ? -1 : 1));
    expect(sorted).toEqual(["api/special", "api/{id:int}", "api/{name}", "api/{*rest}"]);
  });
});
