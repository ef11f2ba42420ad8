import * as fc from "fast-check";

/** A step of the conformance app's `program` orchestration. */
export type Step =
  | { readonly act: string }
  | { readonly retry: string; readonly fails: number; readonly attempts: number }
  | { readonly timer: number }
  | { readonly event: string }
  | { readonly sub: readonly Step[] }
  | { readonly all: readonly Step[] }
  | { readonly any: readonly Step[] };

export type Program = readonly Step[];

const event = fc.constantFrom("e", "f").map((name) => ({ event: name }));
const timer = fc.integer({ min: 0, max: 5000 }).map((seconds) => ({ timer: seconds }));
const act = fc.constant({ act: "" });
const lasting = fc.integer({ min: 0, max: 2 }).map((fails) => ({ retry: "", fails, attempts: 3 }));
/** May use up its attempts; alone only, because behind a failed Task.all retries are the protocol's hole. */
const dying = fc
  .record({ fails: fc.integer({ min: 0, max: 3 }), attempts: fc.integer({ min: 1, max: 3 }) })
  .map((retry) => ({ retry: "", ...retry }));

const some = <T>(of: fc.Arbitrary<T>) => fc.array(of, { minLength: 1, maxLength: 4 });
// What loses a Task.any keeps running unseen, so it must not retry: the hole again.
const steady = fc.oneof(act, timer, event);
const racing = fc.oneof(
  steady,
  some(steady).map((all): Step => ({ all })),
);

const compound = fc.oneof(
  some(
    fc.oneof(
      steady,
      lasting,
      some(lasting).map((all): Step => ({ all })),
    ),
  ).map((all): Step => ({ all })),
  some(racing).map((any): Step => ({ any })),
);

const flat = fc.array(
  fc.oneof({ weight: 3, arbitrary: fc.oneof(act, timer, event, dying) }, { weight: 2, arbitrary: compound }),
  {
    minLength: 1,
    maxLength: 6,
  },
);

/** Programs whose result does not depend on the order in which things end. Every activity has a label of its own. */
export const programs: fc.Arbitrary<Program> = flat.map((steps) => labelled(steps, "a"));

/** The same with sub-orchestrations. */
export const families: fc.Arbitrary<Program> = fc
  .array(
    fc.oneof(
      flat.map((sub): Step => ({ sub })),
      flat.map((steps) => steps[0]!),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((steps) => labelled(steps, "a"));

function labelled(steps: Program, prefix: string): Program {
  return steps.map((step, n): Step => {
    const label = `${prefix}${n}`;
    if ("act" in step) return { act: label };
    if ("retry" in step) return { ...step, retry: label };
    if ("sub" in step) return { sub: labelled(step.sub, `${label}.`) };
    if ("all" in step) return { all: labelled(step.all, `${label}.`) };
    if ("any" in step) return { any: labelled(step.any, `${label}.`) };
    return step;
  });
}

/** What a program returns, whatever the order of things. An event gives its own name. */
export function resultOf(program: Program): unknown[] {
  return program.map(valueOf);
}

function valueOf(step: Step): unknown {
  if ("act" in step) return step.act;
  if ("retry" in step) {
    const { retry, fails, attempts } = step;
    return fails < attempts ? retry : `failed: Activity function 'labelled' failed: ${retry} attempt ${attempts}`;
  }
  if ("timer" in step) return null;
  if ("event" in step) return step.event;
  if ("sub" in step) return resultOf(step.sub);
  // The SDK has no value for a timer, which is null in a list, too.
  return "all" in step ? step.all.map(valueOf) : "any";
}
