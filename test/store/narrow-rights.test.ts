import { createServer, type IncomingMessage, request as forward, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { readEvidence, writeEvidence, type EvidenceRecord } from "../../src/evidence/record.ts";
import { openStorage } from "../../src/store/storage.ts";
import { noIdentity, openAzurite } from "./storage.ts";

// The app's identity may create and read blobs of evidence, and no more: no container is made, nothing overwritten, nothing deleted.
// Azurite knows no roles, so a front before it refuses what those would.

let store: Awaited<ReturnType<typeof openAzurite>>;
let front: Server;
let settings: { readonly connectionString: string };
let refusing: (call: string) => boolean = () => false;
const calls: string[] = [];

/** A call as roles see it. */
function callOf({ method = "", url = "", headers }: IncomingMessage): string {
  const { pathname, searchParams } = new URL(url, "http://localhost");
  const [, , , blob] = pathname.split("/");
  const kind = searchParams.get("restype") === "container" || blob === undefined ? "container" : "blob";
  const creates = headers["if-none-match"] === "*";
  return `${method} ${kind}${method === "PUT" && kind === "blob" && !creates ? " over another" : ""}`;
}

beforeAll(async () => {
  store = await openAzurite();
  const blobUrl = /BlobEndpoint=([^;]+)/.exec(store.azurite.connectionString)?.[1] ?? "";
  const { port } = new URL(blobUrl);
  front = createServer((incoming, reply) => {
    const call = callOf(incoming);
    calls.push(call);
    if (refusing(call)) {
      incoming.resume();
      reply.writeHead(403, { "x-ms-error-code": "AuthorizationPermissionMismatch" }).end();
      return;
    }
    const { url, method, headers } = incoming;
    const onward = forward({ host: "127.0.0.1", port, path: url, method, headers }, (answer) => {
      reply.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(reply);
    });
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const here = blobUrl.replace(port, String((front.address() as AddressInfo).port));
  settings = { connectionString: store.azurite.connectionString.replace(blobUrl, here) };
});
afterAll(async () => {
  front.closeAllConnections();
  front.close();
  await store.close();
});
beforeEach(() => {
  calls.length = 0;
  refusing = () => false;
});

const createOnly = (call: string) => !["GET blob", "HEAD blob", "PUT blob"].includes(call);
const own = () => ({ connectionString: store.azurite.connectionString });
const record = { rotationId: "r-narrow", outcome: "rotated" } as EvidenceRecord;
const signal = () => AbortSignal.timeout(5000);

test("where containers and table are there, nothing is asked for but what is read", async () => {
  refusing = createOnly;
  await openStorage(settings, noIdentity).ready();
  expect(calls).toEqual(["HEAD blob", "HEAD blob"]);
});

test("evidence is written once and read with the rights to create and to read", async () => {
  refusing = createOnly;
  const { evidence, ready } = openStorage(own(), noIdentity, settings);
  await ready();
  expect(await writeEvidence(evidence, record, signal())).toBe("r-narrow.json");
  // A late copy of the last step: the first record stands.
  await writeEvidence(evidence, { ...record, outcome: "failed" }, signal());
  expect(await readEvidence(evidence, "r-narrow")).toEqual(record);
  expect(new Set(calls)).toEqual(new Set(["HEAD blob", "GET blob", "PUT blob"]));
});

test("a refusal of what is there already is no fault, for whoever may only create is told no more", async () => {
  const { evidence } = openStorage(own(), noIdentity, settings);
  await writeEvidence(evidence, record, signal());
  refusing = (call) => call === "PUT blob";
  expect(await writeEvidence(evidence, record, signal())).toBe("r-narrow.json");
  const other = { ...record, rotationId: "r-other" };
  await expect(writeEvidence(evidence, other, signal())).rejects.toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    class: "propagation",
    message: expect.stringContaining("PINION_EVIDENCE"),
  });
});

test("a container that is missing is made, and a refusal of that is said, with its setting", async () => {
  const { evidence, ready } = openStorage(own(), noIdentity, settings);
  await evidence.delete();
  refusing = createOnly;
  await expect(ready()).rejects.toMatchObject({ message: expect.stringContaining("PINION_EVIDENCE") });
  refusing = () => false;
  await ready();
  expect(await evidence.exists()).toBe(true);
});
