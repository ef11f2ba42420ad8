import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  BlobServiceClient,
  generateAccountSASQueryParameters,
} from "@azure/storage-blob";
import type { StorageSharedKeyCredential } from "@azure/storage-blob";
import type { Azurite } from "../../local/azurite.ts";

export const appToken = "the-app's-token";

/** Azurite takes tokens over HTTPS only, so this takes the app's token and hands on a SAS. What a stranger asks for, it answers as a public container would. */
export async function startFront(azurite: Azurite) {
  const service = BlobServiceClient.fromConnectionString(azurite.connectionString);
  const sas = generateAccountSASQueryParameters(
    {
      expiresOn: new Date(Date.UTC(2126, 0, 1)),
      startsOn: new Date(Date.UTC(2020, 0, 1)),
      permissions: AccountSASPermissions.parse("rwdlac"),
      resourceTypes: AccountSASResourceTypes.parse("sco").toString(),
      services: AccountSASServices.parse("b").toString(),
    },
    service.credential as StorageSharedKeyCredential,
  ).toString();
  const written: string[] = [];
  let writes = 0;
  let rights = "rw";
  /** Statuses to answer with instead, the first one first. */
  const faults: { status: number; headers?: Record<string, string> }[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    written.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)} ${body.toString()}`);
    const { authorization } = request.headers;
    const fault = faults.shift();
    const right = request.method === "PUT" ? "w" : "r";
    const allowed =
      authorization === `Bearer ${appToken}` ? rights.includes(right) : authorization === undefined && right === "r";
    if (fault !== undefined) {
      response.writeHead(fault.status, fault.headers).end();
      return;
    }
    if (!allowed) {
      response.writeHead(403, { "x-ms-error-code": "AuthorizationPermissionMismatch" }).end();
      return;
    }
    const kept = Object.entries(request.headers).filter(([name]) => /^(x-ms-|if-|content-type)/.test(name));
    const answer = await fetch(`${new URL(azurite.blobUrl).origin}${request.url}?${sas}`, {
      method: request.method!,
      headers: { "x-ms-version": "2024-11-04", ...(Object.fromEntries(kept) as Record<string, string>) },
      ...(body.length > 0 ? { body } : {}),
    });
    if (answer.status === 201) writes += 1;
    const reply = Buffer.from(await answer.arrayBuffer());
    const shown = [...answer.headers].filter(
      ([name]) => !/^(content-encoding|transfer-encoding|content-length|connection|keep-alive)$/.test(name),
    );
    response.writeHead(answer.status, Object.fromEntries(shown)).end(reply);
  };
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    port,
    service,
    faults,
    written: () => written.join("\n"),
    writes: () => writes,
    allow: (next: "rw" | "r" | "") => void (rights = next),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
