import { stagingName } from "../../src/vault/staging.ts";
import { certificateVersions, keyVersions } from "./first.ts";
import type { Lived } from "./live.ts";
import type { LifeObject, World } from "./world.ts";

// Promise 2 for what the vault makes: one new version, no leftovers, told and recorded once.

type Hold = (what: string, seen: unknown, wanted?: unknown) => void;

export async function holding(check: (hold: Hold) => Promise<void>): Promise<readonly string[]> {
  const faults: string[] = [];
  const hold: Hold = (what, seen, wanted = true) => {
    if (JSON.stringify(seen) !== JSON.stringify(wanted))
      faults.push(`${what}: ${JSON.stringify(seen)}, not ${JSON.stringify(wanted)}`);
  };
  await check(hold);
  return faults;
}

/** What every rotation leaves, whatever it rotates. */
function recorded(hold: Hold, object: LifeObject, { outcome, rotationId, failures }: Lived): void {
  hold(`the outcome (${failures.at(-1) ?? ""})`, outcome, "rotated");
  hold("evidence", [...object.evidence.keys()], [`${rotationId}.json`]);
  const { phase, attempts } = object.state();
  hold("the object's state", [phase, attempts], ["idle", 0]);
  const names = new Set(object.told.map(({ type }) => type.split(".").at(-1)));
  hold(
    "what was told",
    [...names]
      .filter((name) => name !== "Waiting" && name !== "Reminder")
      .toSorted((a = "", b = "") => a.localeCompare(b)),
    ["Completed", "CutOver", "Published", "Revoked", "Started", "Verified"],
  );
}

/** A certificate that was staged beside, or made by the vault in the object. */
export async function certificateRotated(
  world: World,
  object: LifeObject,
  lived: Lived,
  source: string,
): Promise<readonly string[]> {
  return await holding(async (hold) => {
    recorded(hold, object, lived);
    const { id, key } = object;
    const versions = await certificateVersions(world, id);
    hold("versions", versions.length, 2);
    const [newest, old] = versions;
    hold("the newest is whole and enabled", [newest?.enabled, newest?.x509Thumbprint !== undefined], [true, true]);
    hold("the newest is the rotation's", newest?.tags?.["pinion-rotation"], lived.rotationId);
    hold("its predecessor", newest?.tags?.["pinion-previous"], source);
    hold("the old one is disabled", [old?.version, old?.enabled], [source, false]);
    const operation = await world.certificates.getCertificateOperation(id).then(
      (poller) => poller.getOperationState().certificateOperation?.status,
      () => "none",
    );
    hold("no operation waits", operation !== "inProgress");
    const staged = await certificateVersions(world, stagingName(key)).catch(() => []);
    hold("staged versions that are enabled", staged.filter(({ enabled }) => enabled).length, 0);
    if (object.parsed.policy?.objects[0]?.certificate?.exportable === true) hold("staged versions", staged.length, 1);
  });
}

export async function keyRotated(
  world: World,
  object: LifeObject,
  lived: Lived,
  source: string,
): Promise<readonly string[]> {
  return await holding(async (hold) => {
    recorded(hold, object, lived);
    const versions = await keyVersions(world, object.id);
    hold(
      "versions, all enabled",
      versions.map(({ enabled }) => enabled),
      [true, true],
    );
    const [newest] = versions;
    hold("the newest is the rotation's", newest?.tags?.["pinion-rotation"], lived.rotationId);
    hold("its predecessor", newest?.tags?.["pinion-previous"], source);
  });
}
