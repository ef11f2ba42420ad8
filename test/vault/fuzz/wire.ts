import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";

// A client that sends bytes as they are, which node:https does not, over one connection that is kept.

/** One answer as it came. */
export interface Received {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Where a vault listens. */
export interface Place {
  readonly port: number;
  readonly ca: string;
}

/** Every request is answered in this time (ms), on however busy a machine. */
export const bound = 20_000;

/** Takes the first whole answer off the bytes; undefined: it is not there yet. Interim ones are passed over. */
export function takeAnswer(bytes: Buffer, headOnly: boolean): { answer: Received; rest: Buffer } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
  if (!status) throw new Error(`No answer in HTTP: ${first}`);
  if (status < 200) return takeAnswer(bytes.subarray(end + 4), headOnly);
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const length = headOnly || status === 204 ? 0 : Number(headers.get("content-length"));
  if (!(length >= 0)) throw new Error(`An answer of unknown length: ${first}`);
  const stop = end + 4 + length;
  if (bytes.length < stop) return undefined;
  return { answer: { status, headers, body: bytes.toString("utf8", end + 4, stop) }, rest: bytes.subarray(stop) };
}

/** What is on its way on all connections: any of it may keep the vault from answering. */
const waiting = new Set<string>();

/** Opens a connection; a client that is told to close it opens another one for its next request. */
export function openWire({ port, ca }: Place) {
  let socket: TLSSocket | undefined;
  let session: Buffer | undefined;

  const open = () => {
    const fresh = connect({ port, host: "127.0.0.1", ca, ...(session ? { session } : {}) });
    fresh.on("session", (ticket: Buffer) => (session = ticket)).on("error", () => undefined);
    return fresh.on("close", () => {
      if (socket === fresh) socket = undefined;
    });
  };

  const attempt = (bytes: Buffer, headOnly: boolean, what: string) =>
    new Promise<Received | undefined>((resolve, reject) => {
      const used = (socket ??= open());
      let got: Buffer = Buffer.alloc(0);
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        used.off("data", read).off("close", lost);
        settle();
      };
      const leave = () => {
        used.destroy();
        if (socket === used) socket = undefined;
      };
      const timer = setTimeout(
        () => finish(() => (leave(), reject(new Error(["No answer:", ...waiting].join("\n"))))),
        bound,
      );
      const lost = () => finish(() => resolve(undefined));
      const read = (chunk: Buffer) => {
        got = got.length === 0 ? chunk : Buffer.concat([got, chunk]);
        try {
          const taken = takeAnswer(got, headOnly);
          if (!taken) return;
          // Whether garbage asks for a head only cannot be known: its refusal comes with a body.
          const closing = taken.answer.headers.get("connection") === "close";
          if (taken.rest.length > 0 && !(headOnly && closing)) throw new Error(`More than one answer: ${what}`);
          finish(() => {
            if (closing) leave();
            resolve(taken.answer);
          });
        } catch (error) {
          finish(() => (leave(), reject(error)));
        }
      };
      used.on("data", read).on("close", lost);
      used.write(bytes);
    });

  return {
    /** Sends one request. A kept connection may have been closed for its age just then: that is tried once more. */
    async ask(bytes: Buffer, headOnly: boolean, what: string): Promise<Received> {
      const reused = socket !== undefined;
      waiting.add(what);
      const answer =
        (await attempt(bytes, headOnly, what)) ?? (reused ? await attempt(bytes, headOnly, what) : undefined);
      waiting.delete(what);
      if (!answer) throw new Error(`The connection was closed without an answer: ${what}`);
      return answer;
    },
    close: () => socket?.destroy(),
  };
}

/** What a connection brought until its end, each answer whole; rejects when it does not end in time. */
export function exchange({ port, ca }: Place, bytes: Buffer, { half = true } = {}): Promise<Received[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", ca });
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`Not ended: ${JSON.stringify(bytes.toString("latin1").slice(0, 500))}`));
    }, bound);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(timer);
      try {
        resolve(allAnswers(Buffer.concat(chunks)));
      } catch (error) {
        reject(error);
      }
    });
    // A client that has said all that it wants to say: an incomplete request is then answered or dropped, not kept.
    if (half) socket.end(bytes);
    else socket.write(bytes);
  });
}

function allAnswers(bytes: Buffer): Received[] {
  const answers: Received[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const taken = takeAnswer(rest, false);
    if (!taken) throw new Error(`A torn answer: ${rest.toString("latin1")}`);
    answers.push(taken.answer);
    rest = taken.rest;
  }
  return answers;
}
