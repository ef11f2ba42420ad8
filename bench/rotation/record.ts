import { type Bed, type Rotation, rotate } from "./bed.ts";
import { type OutsideCall, startRecorder } from "./recorder.ts";

/** One rotation by a process that has just started, with every call it made outside. */
export async function recordRotation(
  bed: Bed,
  app?: string,
): Promise<{ rotation: Rotation; calls: readonly OutsideCall[] }> {
  const recorder = await startRecorder(bed.cloud);
  const host = await bed.host({ app, env: recorder.env });
  try {
    const rotation = await rotate(bed, host);
    return { rotation, calls: [...recorder.calls] };
  } finally {
    await host.stop();
    await recorder.close();
  }
}
