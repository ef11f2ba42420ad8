import { eventsQueue } from "../../../local/cloud/cloud.ts";
import { vault } from "../../../local/cloud/scenario.ts";
import type { Clinic } from "../clinic.ts";
import { vaultId, host, subscribed, queue, type Planted } from "./plant.ts";

// They leave their trace in the day's figures, or move the clock: they come last.
export const atLast: readonly Planted[] = [
  {
    name: "an event that nobody takes",
    async plant(clinic) {
      await queue(clinic, eventsQueue).sendMessage("e30=");
      clinic.cloud.clock.advance(20 * 60_000);
      return () => queue(clinic, eventsQueue).clearMessages();
    },
    finds: {
      check: "event-queue",
      level: "fault",
      subject: /^pinion-events of devstoreaccount1$/,
      says: /waited there for 2\d minutes/,
    },
  },
  {
    name: "an event that is not delivered",
    async plant(clinic) {
      const back = subscribed(({ destination, ...one }) => ({
        ...one,
        destination: { ...destination, type: "storageQueue", queue: eventsQueue, connectionString: nowhere(clinic) },
      }))(clinic);
      tell(clinic);
      await until(() => clinic.cloud.azure.eventGrid.log().some(({ outcome }) => outcome === "GenericError"));
      return async () => {
        back();
        clinic.cloud.azure.eventGrid.setTimeFactor(0);
        clinic.cloud.clock.advance(60_000);
        await until(() => clinic.cloud.azure.eventGrid.pending() === 0);
        await queue(clinic, eventsQueue).clearMessages();
      };
    },
    finds: {
      check: "event-delivery",
      level: "fault",
      subject: host,
      says: /failed \d+ times in 24 hours and delivered nothing/,
    },
  },
  {
    name: "an event that was dropped",
    async plant(clinic) {
      clinic.cloud.azure.eventGrid.control({ lose: 1 });
      tell(clinic);
      return () => undefined;
    },
    finds: { check: "event-delivery", level: "warning", subject: host, says: /gave up 1 events/ },
  },
];

const nowhere = ({ cloud }: Clinic) =>
  cloud.azurite.connectionString.replace(cloud.azurite.queueUrl, "http://127.0.0.1:1/devstoreaccount1");

function tell({ cloud }: Clinic): void {
  cloud.azure.eventGrid.publishVaultEvent({
    type: "Microsoft.KeyVault.SecretNearExpiry",
    vaultName: vault,
    resourceId: vaultId,
    objectName: "orders-db",
    version: "0".repeat(32),
    id: `${cloud.vaultUrl(vault)}/secrets/orders-db/${"0".repeat(32)}`,
    time: new Date(cloud.clock.now()).toISOString(),
  });
}

async function until(done: () => boolean): Promise<void> {
  for (let tries = 0; !done() && tries < 400; tries += 1) await new Promise((resolve) => void setTimeout(resolve, 25));
  if (!done()) throw new Error("it did not come to pass");
}
