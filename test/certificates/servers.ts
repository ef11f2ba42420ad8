import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import type { SecureContextOptions } from "node:tls";
import { onTestFinished } from "vitest";

/** Listens on a free port of this machine until the test is over. */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export async function tlsServer(material: SecureContextOptions & { SNICallback?: never }): Promise<number> {
  const server = createTlsServer(material, (socket) => void socket.on("error", () => {}).resume());
  server.on("tlsClientError", () => {});
  return await listen(server);
}

/** How each protocol speaks up to TLS: what the server says at first, and after each line (or the eight bytes of PostgreSQL). */
const spoken = {
  smtp: {
    greeting: "220-mail.contoso.com\r\n220 ready\r\n",
    answer: (line: string) =>
      /^EHLO \[(127\.0\.0\.1|IPv6:::1)\]$|^EHLO [a-z.]+$/.test(line)
        ? "250-mail.contoso.com\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"
        : line === "STARTTLS"
          ? "220 go ahead\r\n"
          : "500 what?\r\n",
    begins: "220 go ahead\r\n",
  },
  imap: {
    greeting: "* OK [CAPABILITY IMAP4rev2 STARTTLS] ready\r\n",
    answer: (line: string) => {
      const [tag = "", command = ""] = line.split(" ");
      if (command === "CAPABILITY") return `* CAPABILITY IMAP4rev2 STARTTLS\r\n${tag} OK done\r\n`;
      return command === "STARTTLS" ? `* OK by the way\r\n${tag} OK go ahead\r\n` : `${tag} BAD what?\r\n`;
    },
    begins: "OK go ahead\r\n",
  },
  postgres: {
    greeting: "",
    answer: (bytes: string) => (Buffer.from(bytes, "latin1").toString("hex") === "0000000804d2162f" ? "S" : "E"),
    begins: "S",
  },
} as const;

export interface Twist {
  /** Changes what the server says. */
  readonly say?: (text: string) => string;
}

/** A small server of a protocol with STARTTLS, which speaks it by its RFC. */
export async function startTlsServer(
  protocol: keyof typeof spoken,
  material: SecureContextOptions,
  { say = (text) => text }: Twist = {},
): Promise<number> {
  const { greeting, answer, begins } = spoken[protocol];
  const server = createServer((socket) => {
    const send = (text: string): void => void socket.write(say(text), "latin1");
    if (greeting !== "") send(greeting);
    let heard = "";
    const onData = (data: Buffer): void => {
      heard += data.toString("latin1");
      for (;;) {
        const end = protocol === "postgres" ? (heard.length >= 8 ? 8 : -1) : heard.indexOf("\r\n");
        if (end < 0) return;
        const text = answer(heard.slice(0, end));
        heard = heard.slice(protocol === "postgres" ? end : end + 2);
        if (text.endsWith(begins)) socket.off("data", onData);
        send(text);
        if (!text.endsWith(begins)) continue;
        new TLSSocket(socket, { isServer: true, ...material }).on("error", () => {}).resume();
        return;
      }
    };
    socket.on("data", onData);
  });
  return await listen(server);
}
