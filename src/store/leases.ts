import { createHash, randomUUID } from "node:crypto";
import type { ContainerClient } from "@azure/storage-blob";
import { PinionError } from "../errors.ts";
import { statusOf, storageError } from "./storage.ts";

/** Seconds a lease lasts without renewal. It is never renewed: a step's deadline is shorter, so a lease outlives its holder's work. */
export const leaseSeconds = 60;

/** Seconds after which a step that holds a lease is stopped. */
export const deadlineSeconds = 40;

/** Holds a lease on what a step changes (`account` is the rotator's or consumer's key) while `work` runs. */
export type WithLease = <T>(account: string, work: () => Promise<T>) => Promise<T>;

/**
 * Leases on blobs named from a hash of the account. `LEASE_HELD` (transient) when another step holds it: at most
 * {@link leaseSeconds} after a crash it is free again.
 */
export function openLeases(container: ContainerClient): WithLease {
  return async (account, work) => {
    const blob = container.getBlockBlobClient(createHash("sha256").update(account).digest("hex"));
    const lease = blob.getBlobLeaseClient(randomUUID());
    const acquire = async () => {
      try {
        await lease.acquireLease(leaseSeconds);
      } catch (error) {
        const status = statusOf(error);
        if (status === 409) {
          throw new PinionError("LEASE_HELD", "Another step is changing the same account; this one waits for it.", {
            class: "transient",
          });
        }
        if (status !== 404) throw storageError(error);
        await blob.upload("", 0, { conditions: { ifNoneMatch: "*" } }).catch((again: unknown) => {
          if (statusOf(again) !== 409 && statusOf(again) !== 412) throw storageError(again);
        });
        await acquire();
      }
    };
    await acquire();
    try {
      return await work();
    } finally {
      // A lease that cannot be given back runs out by itself.
      await lease.releaseLease().catch(() => undefined);
    }
  };
}
