import { PinionError } from "../errors.ts";
import { boundConsumers, moveConsumers } from "./consumers.ts";
import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";
import { requireOpenWindow } from "./window.ts";

/** Moves each consumer that is Pinion's to move. One that points neither where preflight saw it nor at the new version was moved by somebody else. */
export const createCutover = (deps: Deps) =>
  createStep(deps, {
    name: "cutover",
    phases: ["running"],
    async run(scene, { version, consumers }) {
      if (scene.subject.rotator.strategy !== "in-place") requireOpenWindow(scene);
      const before = new Map(consumers.map(({ id, text }) => [id, text]));
      for (const { kind, at } of boundConsumers(scene)) {
        const { text } = await kind.read(at);
        if (text === before.get(at.consumer.id) || text === kind.reference(at, version)) continue;
        throw new PinionError(
          "CONSUMER_REPINNED",
          `${at.consumer.id} was moved by somebody else since preflight: its reference is left as it is.`,
        );
      }
      const proofs = await moveConsumers(scene, ({ kind, at }) => kind.reference(at, version));
      return { result: {}, proofs, event: { name: "CutOver", data: { publishedVersion: version } } };
    },
  });
