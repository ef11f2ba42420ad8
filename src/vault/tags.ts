/** Pinion's tags on versions of a managed object. They describe; they never aim a rotator (design section 5). */
export const tags = {
  /** The rotation that wrote this version. */
  rotation: "pinion-rotation",
  /** The version that was newest when this one was written. */
  previous: "pinion-previous",
  /** Set on a version that carries an earlier version's credential again: that version, and those that it carried in turn. */
  rollbackOf: "pinion-rollback-of",
  /** On staging secrets: the object they stage for. */
  stageFor: "pinion-stage-for",
  /** On a version that the vault made in its object and that was turned back: the version that is current instead. */
  withdrawn: "pinion-withdrawn-for",
  /**
   * On versions that the vault made: the version that these marks are about. A vault that makes the next version copies the tags of the
   * one before it, and marks that name another version say nothing.
   */
  marks: "pinion-marks",
} as const;

const limit = 15;
const ours = Object.values(tags) as string[];

/** Tags for a new version: the former version's own (the service does not carry them over) and ours, within the limit of 15. */
export function nextTags(
  former: Readonly<Record<string, string>>,
  mine: Readonly<Record<string, string>>,
): Record<string, string> {
  const kept = Object.entries(former).filter(([name]) => !ours.includes(name) && !(name in mine));
  const room = Math.max(0, limit - Object.keys(mine).length);
  return { ...Object.fromEntries(kept.slice(0, room)), ...mine };
}

/** A version's marks, unless they were copied from another version. */
export function ownMarks(found: {
  readonly version: string;
  readonly tags: Readonly<Record<string, string>>;
}): Readonly<Record<string, string>> {
  const about = found.tags[tags.marks];
  return about === undefined || about === found.version ? found.tags : {};
}

/** The earlier versions whose credential a version carries again; none for most. */
export function carriedBy(found: Readonly<Record<string, string>>): readonly string[] {
  return found[tags.rollbackOf]?.split(" ") ?? [];
}

/** A tag's value holds 256 characters: seven versions. */
const mostCarried = 7;

/**
 * The value of `rollbackOf` for a version that carries `source` again. After one rollback upon another a consumer may still be pinned to
 * the first of these versions, so the oldest ones are kept.
 */
export function rollbackMark(source: string, tagsOfSource: Readonly<Record<string, string>>): string {
  return [source, ...carriedBy(tagsOfSource).slice(1 - mostCarried)].join(" ");
}

/** How many of an object's own tags fit beside ours; more must be refused before a rotation, never dropped during one. */
export const ownTagLimit = limit - 4;

/** How many tags of its own the next version would have: those of the former version and those that the policy gives. */
export function ownTagCount(
  former: Readonly<Record<string, string>>,
  policy: Readonly<Record<string, string>>,
): number {
  return Object.keys({ ...former, ...policy }).filter((name) => !ours.includes(name)).length;
}
