import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { Client } from "pg";
import { topicName } from "../../local/cloud/cloud.ts";
import { arm, vault } from "../../local/cloud/scenario.ts";
import { siteResourceId } from "../../local/cloud/cloud.ts";
import type { Call } from "./edge/index.ts";
import type { Ended } from "./rotation.ts";
import type { Subject, World } from "./world.ts";

/** A login that a version of an object holds. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

/** What there was before a rotation, to compare with afterwards. */
export interface Before {
  readonly version: string;
  readonly login: Login;
  readonly versions: number;
  /** Length of PostgreSQL's log. */
  readonly logged: number;
}

/** Reads an object as it stands. */
export async function look(world: World, subject: Subject): Promise<Before> {
  const all = await versionsOf(world, subject.id);
  const { version, login } = await current(world, subject);
  return { version, login, versions: all.length, logged: logSize(world) };
}

/** The newest version and its value. */
export async function current(world: World, { id }: Subject): Promise<{ version: string; login: Login }> {
  const { value = "", properties } = await world.cloud.secrets(vault).getSecret(id);
  return { version: properties.version ?? "", login: JSON.parse(value) as Login };
}

export interface Faults {
  /** Everything that does not hold, in words. */
  readonly faults: readonly string[];
  /** The newest version after it. */
  readonly version: string;
}

/**
 * Promise 2, checked from outside: the rotation ended as if nothing had happened. One new credential, no orphan, no second change, the
 * consumers on the new version, the old one dead, one record of it, every event told. `others`: calls of a second process.
 */
export async function checkRotated(
  world: World,
  subject: Subject,
  before: Before,
  { rotationId, outcome, instance }: Ended,
  expected: Expected = clean,
  others: readonly Call[] = [],
): Promise<Faults> {
  const faults: string[] = [];
  const hold = (what: string, seen: unknown, wanted: unknown = true) => {
    if (JSON.stringify(seen) !== JSON.stringify(wanted))
      faults.push(`${what}: ${JSON.stringify(seen)}, not ${JSON.stringify(wanted)}`);
  };
  const calls = [...world.edge.calls, ...others];
  const { fault } = instance.customStatus ?? {};
  hold(`outcome (${fault?.code ?? ""} ${fault?.message ?? ""})`, outcome, "rotated");

  const all = await versionsOf(world, subject.id);
  const ours = all.filter(({ tags }) => tags["pinion-rotation"] === rotationId);
  hold("versions with the rotation's tag", ours.length, 1);
  hold("new versions", all.length - before.versions, 1);
  const now = await current(world, subject);
  hold("the newest version is the rotation's", ours[0]?.version, now.version);
  hold("its predecessor's tag", ours[0]?.tags["pinion-previous"], before.version);
  hold("the source is disabled", all.find(({ version }) => version === before.version)?.enabled, false);
  const staged = (await stagedOf(world, subject)).filter(({ tags }) => tags["pinion-rotation"] === rotationId);
  hold(
    "staged versions, enabled or not",
    staged.map(({ enabled }) => enabled),
    [false],
  );

  hold("the new credential logs in", await logsIn(world, subject, now.login));
  hold("the old credential logs in", await logsIn(world, subject, before.login), false);
  const changed = expected.changes?.(subject, before.login, now.login);
  const made = changes(world, before.logged);
  if (changed !== undefined) hold("changes in the target", expected.mayLift ? withoutLifts(made) : made, changed);

  const site = await consumer(world, subject);
  hold("the consumer's reference", site.text.endsWith(`/secrets/${subject.id}/${now.version})`));
  hold("the consumer's version", site.active, now.version);
  hold("writes of the object", writes(calls, `vault PUT /secrets/${subject.id}`), 1);
  hold("writes of the staging secret", writes(calls, "vault PUT /secrets/{staging}"), expected.rotations);
  hold("writes of the settings", writes(calls, `arm PUT sites/${subject.site}/config/appsettings`), expected.rotations);

  const records = calls.filter(({ name, sent }) => sent && name === "blob PUT pinion-evidence/{name}");
  hold("evidence was created", records.filter(({ status }) => status === 201).length, expected.rotations);
  const evidence = await world.api("GET", `evidence/${rotationId}`);
  hold("evidence's outcome", evidence.body["outcome"], "rotated");
  const steps = (evidence.body["steps"] as { step: string }[] | undefined)?.map(({ step }) => step);
  if (expected.steps !== undefined) hold("steps in the evidence", steps, expected.steps(subject));
  const told = eventsOf(world, rotationId).filter((name) => expected.mayTell?.includes(name) !== true);
  hold("events told", told, expected.events(subject));
  const { body: state } = await world.api("GET", `rotations/${subject.id}`);
  hold(
    "the object's state",
    [state["phase"], state["attempts"], state["outcome"], state["quarantined"]],
    ["idle", 0, "rotated", false],
  );
  return { faults, version: now.version };
}

/** What a rotation looks like from outside. */
export interface Expected {
  /** Undefined where others change the same server. */
  readonly changes?: ((subject: Subject, old: Login, next: Login) => readonly string[]) | undefined;
  /** Rotations that ended since the calls were last reset, all on one site. */
  readonly rotations: number;
  /** Undefined where what was done before is in the log of an orchestration that was lost. */
  readonly steps?: ((subject: Subject) => readonly string[]) | undefined;
  events(subject: Subject): readonly string[];
  /** Whether a suspension may be lifted, and made again. */
  readonly mayLift?: true;
  /** Events beside those, which are told at some points and not at others. */
  readonly mayTell?: readonly string[];
}

const forward = ["preflight", "stage", "set", "validate", "publish", "cutover", "verify"];
const twoSlots = ({ strategy }: Subject): boolean => strategy === "alternating";

/** An undisturbed rotation. */
export const clean: Expected = {
  rotations: 1,
  changes: (subject, old, next) =>
    twoSlots(subject)
      ? [
          `ALTER ROLE "${next.username}" LOGIN PASSWORD`,
          `ALTER ROLE "${old.username}" NOLOGIN`,
          `ALTER ROLE "${old.username}" NOLOGIN PASSWORD`,
        ]
      : [`ALTER ROLE "${next.username}" PASSWORD`],
  steps: (subject) => [...forward, ...(twoSlots(subject) ? ["suspend"] : []), "revoke"],
  events: (subject) => [
    "Completed",
    "CutOver",
    "Published",
    "Revoked",
    "Started",
    ...(twoSlots(subject) ? ["Suspended"] : []),
    "Verified",
  ],
};

/** Calls of a name that reached their service. */
export function writes(calls: readonly Call[], name: string): number {
  return calls.filter((call) => call.sent && call.name === name).length;
}

export interface Version {
  readonly version: string;
  readonly enabled: boolean;
  readonly tags: Readonly<Record<string, string>>;
}

export async function versionsOf(world: World, name: string): Promise<Version[]> {
  const found: Version[] = [];
  for await (const { version = "", enabled = true, tags = {} } of world.cloud
    .secrets(vault)
    .listPropertiesOfSecretVersions(name)) {
    found.push({ version, enabled, tags });
  }
  return found;
}

/** Every version of the subject's staging secret. */
export async function stagedOf(world: World, subject: Subject): Promise<Version[]> {
  const key = `${vault}--secret--${subject.id}`;
  for await (const { name, tags } of world.cloud.secrets(vault).listPropertiesOfSecrets()) {
    if (tags?.["pinion-stage-for"] === key) return await versionsOf(world, name);
  }
  return [];
}

/** Whether a login is let in, straight at the server. Any fault but a refusal throws. */
export async function logsIn(world: World, { database }: Subject, { username, password }: Login): Promise<boolean> {
  const { host, port } = world.cloud.postgres;
  const client = new Client({ host, port, database, user: username, password });
  try {
    await client.connect();
    return true;
  } catch (error) {
    if (["28P01", "28000"].includes((error as { code?: string }).code ?? "")) return false;
    throw error;
  } finally {
    await client.end().catch(() => {});
  }
}

/** What the consumer's setting says, and the version it resolved. */
export async function consumer(world: World, { site, setting }: Subject): Promise<{ text: string; active?: string }> {
  type Reference = { properties: { reference: string; activeVersion?: string; secretVersion?: string } };
  const path = `${siteResourceId(site)}/config/configreferences/appsettings/${setting}`;
  const { properties } = await arm<Reference>(world.cloud, "GET", path);
  const active = properties.activeVersion ?? properties.secretVersion;
  return { text: properties.reference, ...(active !== undefined && { active }) };
}

/** Names of the rotation's events, each once: a repeat has the same id. */
export function eventsOf(world: World, rotationId: string): string[] {
  const ids = world.cloud.azure.eventGrid
    .received(topicName)
    .map((event) => String(event["id"]))
    .filter((id) => id.startsWith(`${rotationId}/`));
  return [...new Set(ids)].map((id) => id.split("/").at(-1) ?? "").sort();
}

/** The statements that changed a role since `from`, as the server logged them, without what comes after the verb. */
export function changes(world: World, from: number): string[] {
  const text = readLog(world, from);
  return [...text.matchAll(/ALTER ROLE "[^"]+" (?:NOLOGIN PASSWORD|LOGIN PASSWORD|NOLOGIN|LOGIN|PASSWORD)/g)].map(
    ([statement]) => statement,
  );
}

/** The same without suspensions that were lifted right away, as when a rotation is taken up. */
export function withoutLifts(changed: readonly string[]): string[] {
  const kept: string[] = [];
  for (const change of changed) {
    const lifted = kept.at(-1)?.replace(/ NOLOGIN$/, " LOGIN");
    if (lifted === change && lifted !== kept.at(-1)) kept.pop();
    else kept.push(change);
  }
  return kept;
}

function logSize({ cloud }: World): number {
  const fd = openSync(cloud.postgres.logFile, "r");
  const { size } = fstatSync(fd);
  closeSync(fd);
  return size;
}

function readLog(world: World, from: number): string {
  const fd = openSync(world.cloud.postgres.logFile, "r");
  const buffer = Buffer.alloc(Math.max(0, fstatSync(fd).size - from));
  readSync(fd, buffer, 0, buffer.length, from);
  closeSync(fd);
  return buffer.toString("utf8");
}
