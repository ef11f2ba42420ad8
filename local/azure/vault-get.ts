import { request } from "node:https";

/** What a vault answered; `timeout` and `unreachable` when it did not. */
export type Answer = { readonly status: number; readonly body: Buffer } | "timeout" | "unreachable";

const patience = 10_000;

/** One GET to a vault on this machine, as an Azure service would make it. `ca`: PEM of the authority that its certificate comes from. */
export function vaultGet(url: string, token: string, ca: string): Promise<Answer> {
  return new Promise((resolve) => {
    const call = request(url, {
      ca,
      headers: { authorization: `Bearer ${token}`, accept: "application/json" },
      signal: AbortSignal.timeout(patience),
      // Every vault is on this machine, and not every system resolves `<vault>.localhost`.
      lookup: (_host, { all }, done) =>
        all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4),
      agent: false,
    });
    call.on("error", (error) => resolve(error.name === "AbortError" ? "timeout" : "unreachable"));
    call.on("response", (reply) => {
      const chunks: Buffer[] = [];
      reply.on("data", (chunk: Buffer) => chunks.push(chunk));
      reply.on("error", () => resolve("unreachable"));
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    call.end();
  });
}
