import { PinionError, toFault } from "../errors.ts";

/** How a look ended: `fault` keeps Pinion from rotating, `warning` may one day, `unknown` could not be looked at. */
export type Level = "ok" | "fault" | "warning" | "unknown";

/** What a check says of one thing. Names and times only: no finding holds a secret. */
export interface Said {
  readonly level: Level;
  /** What was looked at, such as a vault's host or an object's id. */
  readonly subject: string;
  /** One sentence: what was found. */
  readonly says: string;
  /** What to do about it; there for each fault and warning. */
  readonly todo?: string;
  /** A fault without whose end those who need this check would only repeat it. */
  readonly stops?: true;
}

export interface Finding extends Said {
  /** The check's id, and the area that it is shown in. */
  readonly check: string;
  readonly area: string;
  /** Not looked at, because this check has a fault. */
  readonly after?: string;
}

/** One thing that the doctor looks at; each is a file of this folder. `C` is what it looks through. */
export interface Check<C> {
  /** Kebab-case and stable: tools go by it. */
  readonly id: string;
  readonly area: string;
  /** One line: what it makes sure of. */
  readonly about: string;
  /** Ids of checks whose faults that stop leave nothing to look at here. */
  readonly needs?: readonly string[];
  run(context: C, signal: AbortSignal): Promise<readonly Said[]>;
}

export const ok = (subject: string, says: string): Said => ({ level: "ok", subject, says });
export const fault = (subject: string, says: string, todo: string): Said => ({ level: "fault", subject, says, todo });
export const stop = (subject: string, says: string, todo: string): Said => ({
  ...fault(subject, says, todo),
  stops: true,
});
export const warning = (subject: string, says: string, todo: string): Said => ({
  level: "warning",
  subject,
  says,
  todo,
});
export const unknown = (subject: string, says: string, todo?: string): Said => ({
  level: "unknown",
  subject,
  says,
  ...(todo !== undefined && { todo }),
});

/** Looks at each subject by itself, so that one that cannot be looked at hides none of the others. */
export async function eachOf<T>(
  subjects: readonly T[],
  nameOf: (subject: T) => string,
  look: (subject: T) => Promise<readonly Said[]>,
): Promise<readonly Said[]> {
  const looked = subjects.map((subject) => look(subject).catch((error: unknown) => [unlooked(nameOf(subject), error)]));
  return (await Promise.all(looked)).flat();
}

/** What a look that threw says: our own sentence, or the bare name of a foreign error, whose text could quote anything. */
export function unlooked(subject: string, error: unknown): Said {
  const cause: unknown = error instanceof PinionError ? error.cause : undefined;
  const todo = isRight(cause) ? cause.todo : undefined;
  return unknown(subject, toFault(error).message, todo);
}

/** The error of a look that Azure did not allow: `todo` says which right would let the doctor see. */
export const unseen = (says: string, todo: string): PinionError =>
  new PinionError("FORBIDDEN", says, { class: "propagation", cause: { todo } });

const isRight = (cause: unknown): cause is { readonly todo: string } =>
  typeof cause === "object" && cause !== null && "todo" in cause && typeof cause.todo === "string";
