import type { HttpRequest } from "@azure/functions";
import { z } from "zod";
import { PinionError } from "../../errors.ts";

const most = 1024 * 1024;

/** Reads a JSON body of at most 1 MiB and checks its shape; every fault is named, none of the values is. */
export async function readBody<T>(request: HttpRequest, schema: z.ZodType<T>): Promise<T> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > most) throw tooLarge();
  const bytes = await request.arrayBuffer();
  if (bytes.byteLength > most) throw tooLarge();
  let json: unknown;
  try {
    json = bytes.byteLength === 0 ? {} : JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new PinionError("BAD_REQUEST", "The body is not JSON.");
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`);
  throw new PinionError("BAD_REQUEST", `The body has faults: ${faults.join("; ")}.`);
}

function tooLarge(): PinionError {
  return new PinionError("BODY_TOO_LARGE", "The body is larger than 1 MiB.");
}

export const versionText = z.string().regex(/^[0-9a-z]{1,64}$/i, "a version of the object");
export const rotationIdText = z.string().regex(/^[a-z0-9-]{1,80}$/, "a rotation id");
export const reasonText = z.string().max(1000, "at most 1000 characters");
