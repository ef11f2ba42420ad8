import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testVault, vaultName } from "../support.ts";
import { checkAnswer } from "./oracle.ts";
import { exchange } from "./wire.ts";

// What raw bytes once got wrong answers to, or none.

const start = async () => {
  const { url, ca, stateDir, ask } = await testVault();
  const exchangeText = async (text: string, half = true) => {
    const answers = await exchange({ port: Number(new URL(url).port), ca }, Buffer.from(text, "latin1"), { half });
    for (const answer of answers) checkAnswer(answer, text.slice(0, 300));
    return answers.map(({ status }) => status);
  };
  const writes = () => readFileSync(join(stateDir, `${vaultName}.journal`), "utf8").split("\n").length - 1;
  return { exchangeText, writes, ask };
};
const head = (line: string, ...more: string[]) =>
  [line, "Host: 127.0.0.1", "Authorization: Bearer t", ...more, "", ""].join("\r\n");
const put = head("PUT /secrets/a?api-version=7.5 HTTP/1.1", "Content-Length: 13").concat('{"value":"v"}');

test("CONNECT is answered", async () => {
  const { exchangeText } = await start();
  expect(await exchangeText(head("CONNECT 127.0.0.1:1 HTTP/1.1"))).toEqual([400]);
});

test("an expectation that nobody knows is answered like any request", async () => {
  const { exchangeText } = await start();
  expect(await exchangeText(head("GET /secrets/none?api-version=7.5 HTTP/1.1", "Expect: a miracle"))).toEqual([404]);
});

test("a request without a host is refused in the service's form", async () => {
  const { exchangeText } = await start();
  expect(await exchangeText("GET /secrets?api-version=7.5 HTTP/1.1\r\nAuthorization: Bearer t\r\n\r\n")).toEqual([400]);
});

test("a client that ends its side with its request has its answer", async () => {
  const { exchangeText, writes } = await start();
  expect(await exchangeText(put)).toEqual([200]);
  expect(await exchangeText(put.concat(put))).toEqual([200, 200]);
  expect(await exchangeText(put.slice(0, -1))).toEqual([400]);
  expect(writes()).toBe(3);
});

test("a request is answered before the garbage behind it", async () => {
  const { exchangeText, writes } = await start();
  expect(await exchangeText(`${put}${put}garbage\r\n\r\n`, false)).toEqual([200, 200, 400]);
  expect(writes()).toBe(2);
});

test("a body that is far too large is refused, not cut off", async () => {
  const { exchangeText, writes } = await start();
  const large = head("PUT /secrets/a?api-version=7.5 HTTP/1.1", "Content-Length: 16000000").concat("x".repeat(16e6));
  expect(await exchangeText(large)).toEqual([413]);
  expect(writes()).toBe(0);
});

test("a body that ends early, of a request that asks for an upgrade", async () => {
  const { exchangeText, writes } = await start();
  const upgrade = ["Connection: Upgrade", "Upgrade: h2c", "Content-Length: 99"];
  expect(await exchangeText(head("PUT /secrets/a?api-version=7.5 HTTP/1.1", ...upgrade).concat("{"))).toEqual([400]);
  expect(writes()).toBe(0);
});
