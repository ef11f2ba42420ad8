// A bare node:https server: `node bare.ts <folder of the TLS material> <file of replies>`. It does no work: it reads the
// body, if there is one, and answers the same bytes to everything. Each reply has a port of its own; stdout tells them.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Reply } from "./client.ts";

const [tlsDir = "", file = ""] = process.argv.slice(2);
const cert = readFileSync(join(tlsDir, "server.pem"));
const key = readFileSync(join(tlsDir, "server.key"));
const replies = JSON.parse(readFileSync(file, "utf8")) as Record<string, Reply>;

const ports: Record<string, number> = {};
for (const [name, { status, headers, body }] of Object.entries(replies)) {
  const server = createServer({ cert, key }, (request, response) => {
    const answer = () => {
      response.sendDate = false;
      response.writeHead(status, headers as string[]);
      response.end(body);
    };
    if (request.headers["content-length"] === undefined) answer();
    else request.on("end", answer).resume();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  ports[name] = (server.address() as AddressInfo).port;
}
console.log(JSON.stringify(ports));
