import type { Trial } from "./kill-points.ts";
import { changes, consumer, current, logsIn, look, stagedOf, versionsOf, withoutLifts, writes } from "./promise.ts";
import { drive, startRotation } from "./rotation.ts";
import type { Subject, World } from "./world.ts";

/** A rotation that a person turns back in its grace; counted from the command on. */
export const rolledBack: Trial = async (world, subject, counted) => await turnedBack(world, subject, counted);

/** The same; `mayLift` where a suspension may be lifted, and made again. */
export async function turnedBack(
  world: World,
  subject: Subject,
  counted: () => void,
  mayLift = false,
): Promise<readonly string[]> {
  const faults: string[] = [];
  const hold = (what: string, seen: unknown, wanted: unknown = true) => {
    if (JSON.stringify(seen) !== JSON.stringify(wanted))
      faults.push(`${what}: ${JSON.stringify(seen)}, not ${JSON.stringify(wanted)}`);
  };
  const before = await look(world, subject);
  const site = await consumer(world, subject);
  const attempts = Number((await world.api("GET", `rotations/${subject.id}`)).body["attempts"] ?? 0);
  const rotationId = await startRotation(world, subject, before.version);
  let candidate: Awaited<ReturnType<typeof current>> | undefined;
  const onLook = async ({ customStatus }: { customStatus: { step: string; rotationId: string } | null }) => {
    if (candidate !== undefined || customStatus?.rotationId !== rotationId || customStatus.step !== "grace") return;
    candidate = await current(world, subject);
    counted();
    await world.api("POST", `rotations/${subject.id}/rollback`, { rotationId, reason: "test" });
  };
  const { outcome, instance } = await drive(world, subject, rotationId, { onLook, byRecord: true });
  const { fault } = instance.customStatus ?? {};
  hold(`outcome (${fault?.code ?? ""} ${fault?.message ?? ""})`, outcome, "rolled-back");
  if (candidate === undefined) return [...faults, "it was never asked to turn back"];

  const all = await versionsOf(world, subject.id);
  const now = await current(world, subject);
  const newest = all.find(({ version }) => version === now.version);
  hold("new versions", all.length - before.versions, 2);
  hold("the newest version is of this rotation", newest?.tags["pinion-rotation"], rotationId);
  hold("the newest version carries the former credential", now.login, before.login);
  const enabled = ({ version }: { version: string }) => all.find((one) => one.version === version)?.enabled;
  hold("the candidate's version is enabled", enabled(candidate), false);
  hold("the former version is enabled", enabled(before));
  const staged = (await stagedOf(world, subject)).filter(({ tags }) => tags["pinion-rotation"] === rotationId);
  hold(
    "staged versions, enabled or not",
    staged.map((one) => one.enabled),
    [false],
  );
  hold("the former credential logs in", await logsIn(world, subject, before.login));
  hold("the candidate logs in", await logsIn(world, subject, candidate.login), false);
  const role = candidate.login.username;
  const changed =
    subject.strategy === "alternating" ? ["LOGIN PASSWORD", "NOLOGIN", "NOLOGIN PASSWORD"] : ["PASSWORD", "PASSWORD"];
  hold(
    "changes in the target",
    mayLift ? withoutLifts(changes(world, before.logged)) : changes(world, before.logged),
    changed.map((change) => `ALTER ROLE "${role}" ${change}`),
  );
  const after = await consumer(world, subject);
  hold("the consumer's reference", after.text, site.text);
  hold("the consumer's version", after.active, site.active);
  hold("writes of the object", writes(world.edge.calls, `vault PUT /secrets/${subject.id}`), 1);
  hold("writes of the settings", writes(world.edge.calls, `arm PUT sites/${subject.site}/config/appsettings`), 1);
  const evidence = await world.api("GET", `evidence/${rotationId}`);
  hold("evidence's outcome", evidence.body["outcome"], "rolled-back");
  const { body: state } = await world.api("GET", `rotations/${subject.id}`);
  hold("the object's state", [state["phase"], state["outcome"]], ["idle", "rolled-back"]);
  hold("attempts", state["attempts"], attempts + 1);
  return faults;
}
