import {
  atResource,
  holdsKey,
  isOurs,
  misconfigured,
  unsettled,
  versionIn,
  wholeResource,
  type HeldKey,
} from "./customer-key.ts";

const apiVersion = "2024-03-02";

interface ActiveKey {
  readonly keyUrl?: string;
  readonly sourceVault?: { readonly id?: string };
}

interface DiskEncryptionSet {
  readonly properties?: {
    readonly activeKey?: ActiveKey;
    readonly previousKeys?: readonly ActiveKey[];
    readonly rotationToLatestKeyVersionEnabled?: boolean;
    readonly provisioningState?: string;
  };
}

interface Held extends HeldKey {
  readonly activeKey: ActiveKey;
}

/**
 * A disk encryption set. Its key always names a version; with `rotationToLatestKeyVersionEnabled` the service itself moves it to the
 * newest. `previousKeys` is empty once every disk, snapshot and image is wrapped with the new one (Compute, DiskRP 2024-03-02).
 */
export const diskEncryptionSet = holdsKey<"disk-encryption-set", Held>({
  kind: "disk-encryption-set",
  ...atResource(wholeResource("disk-encryption-set", "a disk encryption set", "Microsoft.Compute/diskEncryptionSets")),

  async look(step) {
    const { arm, consumer, signal } = step;
    const found = await arm({ method: "GET", path: consumer.resourceId, apiVersion, signal });
    const { activeKey = {}, previousKeys, ...rest } = (found as DiskEncryptionSet).properties ?? {};
    const url = activeKey.keyUrl ?? "";
    if (!isOurs(step, url)) throw misconfigured(step, `does not use ${step.object.baseUrl}`);
    const version = versionIn(step, url);
    const rewrapping =
      previousKeys === undefined || previousKeys.length === 0 ? undefined : "disks still on a previous key";
    return {
      activeKey,
      pinned: rest.rotationToLatestKeyVersionEnabled === true ? undefined : version,
      active: version,
      pending: rewrapping ?? unsettled(rest.provisioningState),
    };
  },

  async write({ arm, consumer, object, signal }, version, { activeKey }) {
    // The same key of the same vault: `sourceVault`, where it is given, stays right.
    const body = { properties: { activeKey: { ...activeKey, keyUrl: `${object.baseUrl}/${version}` } } };
    await arm({ method: "PATCH", path: consumer.resourceId, apiVersion, body, signal });
  },
});
