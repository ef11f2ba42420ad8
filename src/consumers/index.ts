import type { Consumer } from "../consumer.ts";
import type { PolicyConsumer } from "../policy.ts";
import { appService } from "./app-service.ts";

/** Every kind of consumer. A new kind is a file here and a line in this list. */
export const consumers: readonly Consumer[] = [appService];

const byKind = new Map(consumers.map((consumer) => [consumer.kind, consumer]));

export function findConsumer(kind: PolicyConsumer["kind"]): Consumer {
  const found = byKind.get(kind);
  if (found === undefined) throw new Error(`no consumer of kind ${kind}`);
  return found;
}
