import { z } from "zod";

// Part of the policy's schema, so nothing here may need Node.

const hostText = "a host name of letters, digits, hyphens and dots, or an IP address";

/** A DNS name (RFC 1123), of which nothing can be taken for another line or command of a protocol. */
const hostName =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;

const ip = z.union([z.ipv4(), z.ipv6()], { error: "an IP address" });
const isIp = (text: string): boolean => ip.safeParse(text).success;

const nameSchema = z
  .string({ error: hostText })
  .regex(hostName, { error: hostText })
  .refine((name) => !isIp(name), { error: hostText });

/** Where a certificate is served, in a policy. */
export const endpointSchema = z.strictObject({
  host: z
    .string({ error: hostText })
    .refine((host) => isIp(host) || hostName.test(host), { error: hostText })
    .describe("The host that clients connect to."),
  port: z.int().min(1).max(65_535).default(443),
  serverName: nameSchema.exactOptional().describe("The name asked for in the handshake (SNI). Default: the host."),
  address: ip
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
  return `${host.includes(":") ? `[${host}]` : host}:${port}${extra.length > 0 ? ` (${extra.join(", ")})` : ""}`;
}
