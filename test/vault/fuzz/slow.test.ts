import { connect } from "node:tls";
import { expect, test } from "vitest";
import { testVault } from "../support.ts";
import { bound, takeAnswer } from "./wire.ts";
import { checkAnswer } from "./oracle.ts";

// Clients that never come to an end. The vault's own bound is 30 seconds; here it is shorter.

const head = "PUT /secrets/a?api-version=7.5 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer t\r\n";

test.each([
  ["nothing at all", "", 408],
  ["half a head", head, 408],
  ["a body that is short of a byte", `${head}Content-Length: 14\r\n\r\n{"value":"v"}`, 408],
  ["chunks without an end", `${head}Transfer-Encoding: chunked\r\n\r\nd\r\n{"value":"v"}\r\n`, 408],
  [
    "a refused request whose body does not come",
    `${head.replace("Authorization", "X")}Content-Length: 14\r\n\r\n`,
    408,
  ],
])("%s", async (_, text, expected) => {
  const { url, ca, ask } = await testVault({ requestTimeoutMs: 500 });
  const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", ca });
  socket.write(text);
  // A byte of a header now and then buys no time.
  const trickle = setInterval(() => text === head && socket.writable && socket.write("x"), 50);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => undefined);
  await Promise.race([
    new Promise((resolve) => void socket.once("close", resolve)),
    new Promise((_resolve, reject) => void setTimeout(() => reject(new Error("Not ended.")), bound).unref()),
  ]);
  clearInterval(trickle);
  const { answer } = takeAnswer(Buffer.concat(chunks), false)!;
  checkAnswer(answer, text);
  expect(answer.status).toBe(expected);
  expect((await ask("GET", "/secrets/a")).status).toBe(404);
});
