import type { Reply } from "./model.ts";

/** A request that is answered with an error body; thrown by operations before they have changed anything. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly inner: string | undefined;
  constructor(status: number, code: string, message: string, inner?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.inner = inner;
  }
}

/** The service's error body: `{"error":{"code","message","innererror"?:{"code"}}}`. */
export function errorReply(status: number, code: string, message: string, inner?: string): Reply {
  return { status, body: { error: { code, message, innererror: inner ? { code: inner } : undefined } } };
}

export const badParameter = (message: string): Refusal => new Refusal(400, "BadParameter", message);

export const conflict = (message: string, inner?: string): Refusal => new Refusal(409, "Conflict", message, inner);
