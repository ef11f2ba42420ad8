import type { Consumer } from "../consumer.ts";
import type { ConsumerKind } from "../policy-consumers.ts";
import { appService } from "./app-service.ts";
import { cosmosDb } from "./cosmos-db.ts";
import { diskEncryptionSet } from "./disk-encryption-set.ts";
import { eventHubs, serviceBus } from "./messaging.ts";
import { sqlTde } from "./sql-tde.ts";
import { storageAccount } from "./storage-account.ts";
import { webhook } from "./webhook.ts";

/** Every kind of consumer. A new kind is a file here and a line in this list. */
const consumers: { readonly [K in ConsumerKind]: Consumer<K> } = {
  "app-service": appService,
  "storage-account": storageAccount,
  "sql-tde": sqlTde,
  "disk-encryption-set": diskEncryptionSet,
  "cosmos-db": cosmosDb,
  "service-bus": serviceBus,
  "event-hubs": eventHubs,
  webhook,
};

export function findConsumer<K extends ConsumerKind>(kind: K): Consumer<K> {
  return consumers[kind];
}
