import type { HttpRequest } from "@azure/functions";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Config } from "../../src/config.ts";
import { type ErrorCode, PinionError } from "../../src/errors.ts";
import type { Actor } from "../../src/store/types.ts";
import { merge, request } from "../../src/triggers/api/certificate.ts";
import { requireRight } from "../../src/triggers/api/caller.ts";
import type { Call } from "../../src/triggers/api/route.ts";
import { problem } from "../../src/triggers/api/problem.ts";
import { certificateVersions, firstCertificate } from "../life/first.ts";
import { live } from "../life/live.ts";
import { type LifeObject, openObject, openWorld, type World } from "../life/world.ts";
import { blocksOf, readFile, tableOf } from "./page.ts";

// The person's side of docs/rotators/certificate-manual.md, command by command, while a rotation waits for it.

const page = readFile("docs/rotators/certificate-manual.md");
const commands = blocksOf(page).filter(({ language }) => language === "sh");
const dir = mkdtempSync(join(tmpdir(), "pinion-by-hand-"));
const names = ["www.contoso.com", "contoso.com"];
let world: World;
let root: string;
beforeAll(async () => {
  world = await openWorld();
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key"];
  const usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  const about = ["-days", "400", "-subj", "/CN=Contoso Authority", "-out", "ca.pem"];
  execFileSync("openssl", ["req", "-x509", ...key, ...usage, ...about], { cwd: dir, stdio: "pipe" });
  root = readFileSync(join(dir, "ca.pem"), "utf8");
});
afterAll(async () => {
  await world.close();
  rmSync(dir, { recursive: true, force: true });
});

/** The two handlers behind the routes that the page calls; a bearer token stands for an operator. */
async function serve(object: LifeObject) {
  const { deps } = object.app();
  const records = {
    ...deps.records,
    command: async (_key: string, command: Parameters<LifeObject["command"]>[0]) => {
      object.command(command);
      return true;
    },
  };
  const handlers: Readonly<Record<string, typeof merge>> = {
    [`GET /api/rotations/${object.id}/request`]: request,
    [`POST /api/rotations/${object.id}/certificate`]: merge,
  };
  const seen: string[] = [];
  const answer = async (incoming: IncomingMessage) => {
    const { method, url, headers } = incoming;
    const call = `${method} ${url}`;
    seen.push(headers.authorization === undefined ? `${call} without a token` : call);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const arrayBuffer = async () => Buffer.concat(chunks);
    const roles = headers.authorization === "Bearer a-token" ? ["Pinion.Operator"] : [];
    const access = { operatorRole: "Pinion.Operator", readerRole: "Pinion.Reader" } as Config;
    const actor: Actor = { kind: "person", id: "somebody", roles };
    const answered = async () =>
      await handlers[call]!({
        request: { params: { id: object.id }, headers: new Headers(), arrayBuffer } as unknown as HttpRequest,
        deps: { ...deps, records },
        config: access,
        engine: {
          wake: async () => undefined,
          running: async () => ({ rotationId: "", step: "stage", since: "", timeline: [] }),
        } as unknown as Call["engine"],
        actor: requireRight(actor, method === "GET" ? "read" : "command", access),
      });
    return await answered().catch(problem);
  };
  const server = createServer((incoming, reply) => {
    void answer(incoming).then(({ status = 500, body }) => reply.writeHead(status).end(body as string));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, seen, close: () => server.close() };
}

/** Runs a block of the page as it stands there, in one folder. */
async function run(text: string, PINION: string, TOKEN = "a-token") {
  const PATH = `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`;
  const env = { ...process.env, PATH, PINION, TOKEN };
  const child = spawn("bash", ["-euo", "pipefail", "-c", text], { cwd: dir, env, timeout: 30_000 });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (said += part));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, said };
}

test("request, look, sign, bring: the certificate is published, and the evidence says for which change", async () => {
  expect(commands).toHaveLength(4);
  const name = "www";
  const source = await firstCertificate(world, name);
  const object = openObject(world, {
    name,
    object: {
      kind: "certificate",
      certificate: { names, roots: [root] },
      rotator: { kind: "certificate-manual", strategy: "dual", target: {} },
      issueWithin: "P10D",
    },
  });
  const app = await serve(object);
  const lived = await live(world, object, source, {
    async meanwhile({ fault }) {
      if (fault?.code !== "ISSUANCE_PENDING") return false;
      for (const [at, { text }] of commands.entries()) {
        // Whoever has no role is refused; curl says so.
        if (at === 0 || at === 3) expect((await run(text, app.url, "another")).code).toBe(22);
        const { code, said } = await run(text, app.url);
        expect([text, said, code]).toEqual([text, said, 0]);
        if (at === 1) expect(said).toMatch(/DNS:www\.contoso\.com, DNS:contoso\.com/);
      }
      return true;
    },
  }).finally(app.close);
  expect([lived.outcome, lived.fault]).toEqual(["rotated", undefined]);
  const [get, post] = ["GET /api/rotations/www/request", "POST /api/rotations/www/certificate"];
  expect(app.seen).toEqual([get, get, post, post]);
  expect(await certificateVersions(world, name)).toHaveLength(2);
  const [evidence] = [...object.evidence.values()].map((text) => JSON.parse(text) as { commands: object[] });
  expect(evidence?.commands).toMatchObject([{ verb: "start" }, { verb: "merge" }]);
});

test("the table of refusals: each code has the status that the API gives it", () => {
  for (const [status, cell = ""] of tableOf(page, "status")) {
    const code = cell.replaceAll("`", "") as ErrorCode;
    expect([code, String(problem(new PinionError(code, "Text.")).status)]).toEqual([code, status]);
  }
});
