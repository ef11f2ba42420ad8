import { isIP } from "node:net";
import { z } from "zod";

const hostText = "a host name of letters, digits, hyphens and dots, or an IP address";

/** A DNS name (RFC 1123), of which nothing can be taken for another line or command of a protocol. */
const hostName =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;

const nameSchema = z
  .string({ error: hostText })
  .regex(hostName, { error: hostText })
  .refine((name) => isIP(name) === 0, { error: hostText });

/** Where a certificate is served, in a policy. */
export const endpointSchema = z.strictObject({
  host: z
    .string({ error: hostText })
    .refine((host) => isIP(host) !== 0 || hostName.test(host), { error: hostText })
    .describe("The host that clients connect to."),
  port: z.int().min(1).max(65_535).default(443),
  serverName: nameSchema.exactOptional().describe("The name asked for in the handshake (SNI). Default: the host."),
  address: z
    .string()
    .refine((address) => isIP(address) !== 0, { error: "an IP address" })
    .exactOptional()
    .describe("Connect to this address instead of what the host's name resolves to: one server of many."),
  starttls: z
    .enum(["smtp", "imap", "postgres"])
    .exactOptional()
    .describe("The protocol in which the connection begins in the clear."),
});

/** Somewhere a certificate is served. */
export type Endpoint = z.output<typeof endpointSchema>;

/** `host:port`, with the name asked for and the address where they differ. */
export function endpointText({ host, port, serverName, address, starttls }: Endpoint): string {
  const extra = [
    ...(serverName === undefined || serverName === host ? [] : [`as ${serverName}`]),
    ...(address === undefined ? [] : [`at ${address}`]),
    ...(starttls === undefined ? [] : [starttls]),
  ];
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}${extra.length > 0 ? ` (${extra.join(", ")})` : ""}`;
}
