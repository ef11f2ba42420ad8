import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { exchange } from "./client.ts";
import type { VaultServer } from "./processes.ts";

const apiVersion = "2026-04-01";
/** A set goes to so many names in turn, so that none grows a history that no real one has. */
const names = 500;
const value = "a-value-of-a-usual-length-4f1d9c07";
const digest = createHash("sha256").update("bench").digest();

/** One operation that is measured. */
export interface Measured {
  readonly name: string;
  readonly request: (number: number) => Buffer;
  /** The part of its work that node:crypto does, as many times as asked. */
  readonly crypto?: (times: number) => void;
}

/** A request as the official JavaScript client writes it. */
export function requestTo(token: string, method: string, path: string, body?: unknown): Buffer {
  const text = body === undefined ? "" : JSON.stringify(body);
  const head = [
    `${method} /${path}api-version=${apiVersion} HTTP/1.1`,
    "Host: localhost",
    `Authorization: Bearer ${token}`,
    "Accept: application/json",
    "User-Agent: azsdk-js-keyvault-secrets/4.12.0 core-rest-pipeline/1.22.0 Node/24.21.0 OS/(x64-Linux-6.8)",
    "x-ms-client-request-id: 0b1b5b5e-0000-4000-8000-000000000000",
    ...(text ? ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(text)}`] : []),
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${text}`);
}

/** Makes what the operations need in the vault: a page of secrets and two keys. */
export async function prepare(vault: VaultServer): Promise<readonly Measured[]> {
  const ask = async (...[method, path, body]: [string, string, unknown?]) => {
    const reply = await exchange(vault, requestTo(vault.token, method, path, body));
    if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${reply.body}`);
  };
  const tags = { owner: "orders" };
  for (let at = 0; at < 30; at += 1) await ask("PUT", `secrets/a${at}?`, { value, contentType: "text/plain", tags });
  await ask("POST", "keys/rsa/create?", { kty: "RSA", key_size: 2048 });
  await ask("POST", "keys/ec/create?", { kty: "EC", crv: "P-256" });

  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const signing = (key: Parameters<typeof sign>[2]) => (times: number) => {
    for (let at = 0; at < times; at += 1) sign("sha256", digest, key);
  };
  const always = (...[method, path, body]: [string, string, unknown?]) => {
    const request = requestTo(vault.token, method, path, body);
    return () => request;
  };
  const sets = Array.from({ length: names }, (_, at) =>
    requestTo(vault.token, "PUT", `secrets/set-${at}?`, { value, contentType: "text/plain", tags }),
  );
  const signed = (alg: string) => ({ alg, value: digest.toString("base64url") });
  return [
    { name: "secret get", request: always("GET", "secrets/a1?") },
    { name: "secret set", request: (number) => sets[number % names]! },
    { name: "secret list", request: always("GET", "secrets?maxresults=25&") },
    { name: "key sign RS256", request: always("POST", "keys/rsa/sign?", signed("RS256")), crypto: signing(rsa) },
    { name: "key sign ES256", request: always("POST", "keys/ec/sign?", signed("ES256")), crypto: signing(ec) },
  ];
}
