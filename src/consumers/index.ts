import type { Consumer } from "../consumer.ts";
import type { ConsumerKind } from "../policy-consumers.ts";
import { appService } from "./app-service.ts";
import { webhook } from "./webhook.ts";

/** Every kind of consumer. A new kind is a file here and a line in this list. */
const consumers: { readonly [K in ConsumerKind]: Consumer<K> } = {
  "app-service": appService,
  webhook,
};

export function findConsumer<K extends ConsumerKind>(kind: K): Consumer<K> {
  return consumers[kind];
}
