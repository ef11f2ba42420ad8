import { afterAll, beforeAll, expect, test } from "vitest";
import { type Clinic, openClinic } from "./clinic.ts";

let clinic: Clinic;
beforeAll(async () => void (clinic = await openClinic()));
afterAll(() => clinic.close());

test("a sound cloud is silent", async () => {
  const found = await clinic.examine();
  console.log(found.map((f) => `${f.level} ${f.check} ${f.subject}: ${f.says} -> ${f.todo ?? ""}`).join("\n"));
  expect(found.filter(({ level }) => level !== "ok")).toEqual([]);
});
