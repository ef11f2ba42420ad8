import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { readCertificate } from "../../src/certificates/read.ts";
import { checkRevocation, type RevocationCheck } from "../../src/certificates/revocation.ts";
import { day, keyOf, make, type Made, ocspSigning, type Spec } from "./make.ts";
import { file, openssl } from "./openssl.ts";

// An authority that answers by HTTP, with openssl as its responder and maker of lists. openssl knows only the machine's clock, so these certificates live by it.
export const clock = Date.now();
export const living = { from: clock - 30 * day, until: clock + 60 * day };
export const root = make({ ...living, subject: "CN=Root", key: keyOf("P-384", 0), ca: true });
export const middle = make({ ...living, subject: "CN=Middle", key: keyOf("rsa-2048", 1), by: root, ca: true });
export const responder = (more: Partial<Spec> = {}) =>
  make({
    ...living,
    subject: "CN=Responder",
    key: keyOf("P-256", 3),
    by: middle,
    usages: [ocspSigning],
    noCheck: true,
    ...more,
  });
export const signal = AbortSignal.timeout(600_000);

export type Handler = (request: IncomingMessage, body: Buffer, reply: ServerResponse) => Promise<void> | void;

/** Where the authority answers: `base` and a path; what is answered there, and what was asked. */
export const authority = {
  base: "",
  handlers: {} as Readonly<Record<string, Handler>>,
  asked: [] as string[],
};
const server = createServer((request, reply) => {
  void (async () => {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    authority.asked.push(`${request.method} ${request.url}`);
    const handler = authority.handlers[request.url ?? ""];
    if (handler === undefined) reply.writeHead(404).end();
    else await handler(request, Buffer.concat(parts), reply);
  })();
});
beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  authority.base = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  authority.handlers = {};
  authority.asked = [];
});

export const leafOf = (more: Partial<Spec> = {}) =>
  make({ ...living, subject: "CN=www.contoso.com", by: middle, names: ["www.contoso.com"], ...more });
export const check = async (leaf: Made, more: Partial<RevocationCheck> = {}) =>
  await checkRevocation({
    leaf: leaf.der,
    chain: [middle.der],
    roots: [root.pem],
    now: clock,
    signal,
    reach: "any",
    ...more,
  });

export const utc = (time: number) => `${new Date(time).toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`;
/** A line of openssl's database, of a certificate that is good, or revoked for a reason. */
export const index = (leaf: Made, revoked?: string) =>
  `${[revoked === undefined ? "V" : "R", utc(clock + 60 * day), revoked === undefined ? "" : `${utc(clock - day)},${revoked}`, readCertificate(leaf.der).serial.toUpperCase(), "unknown", "/CN=www.contoso.com"].join("\t")}\n`;

/** openssl as the responder, one run for each request. */
export function opensslOcsp(entries: string, signer: Made, more: readonly string[] = ["-nmin", "60"]): Handler {
  return async (request, body, reply) => {
    expect(request.headers["content-type"]).toBe("application/ocsp-request");
    const out = file("reply.der");
    const made = await openssl([
      "ocsp",
      "-index",
      file("index.txt", entries || index(leafOf())),
      "-CA",
      file("middle.pem", middle.pem),
      "-rsigner",
      file("signer.pem", signer.pem),
      "-rkey",
      file("signer.key", signer.keyPem),
      "-reqin",
      file("request.der", body),
      "-respout",
      out,
      ...more,
    ]);
    expect(made.out).not.toContain("rror");
    reply.end(readFileSync(out));
  };
}

/** A list by openssl, in DER. */
export async function opensslCrl(
  entries: string,
  signer: Made = middle,
  flags: readonly string[] = ["-crlhours", "24"],
  extensions = "",
): Promise<Buffer> {
  const config = file(
    "ca.cnf",
    `[ca]\ndefault_ca=a\n[a]\ndatabase=${file("crl-index.txt", entries || index(leafOf()))}\ndefault_md=sha256\ncrlnumber=${file("crlnumber", "01\n")}\nunique_subject=no\ncrl_extensions=x\n[x]\n${extensions}\n`,
  );
  const pem = file("list.pem");
  const made = await openssl([
    "ca",
    "-gencrl",
    "-config",
    config,
    "-keyfile",
    file("ca.key", signer.keyPem),
    "-cert",
    file("ca.pem", signer.pem),
    "-out",
    pem,
    ...flags,
  ]);
  expect(made).toMatchObject({ ok: true });
  await openssl(["crl", "-in", pem, "-outform", "DER", "-out", file("list.der")]);
  return readFileSync(file("list.der"));
}
