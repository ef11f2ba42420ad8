/**
 * The life of a process that works at the outside world, a call at a time. It can be made to die right after a call took effect and
 * before its answer is seen; then nothing it tries has any effect until the next life begins.
 */
export interface Life {
  /** Names of the calls that took effect, over all lives. */
  readonly calls: string[];
  alive(): boolean;
  /** Dies with its so-manieth call from now. */
  dieAt(call: number): void;
  /** The next process, which never dies unless told to. */
  begin(): void;
  outside<R>(name: string, work: () => Promise<R> | R): Promise<R>;
}

export function createLife(): Life {
  let alive = true;
  let left = Infinity;
  const calls: string[] = [];
  const dead = () => new Error("This process is dead.");
  return {
    calls,
    alive: () => alive,
    dieAt(call) {
      left = call;
    },
    begin() {
      alive = true;
      left = Infinity;
    },
    async outside(name, work) {
      if (!alive) throw dead();
      const result = await work();
      if (!alive) throw dead();
      calls.push(name);
      if (--left <= 0) {
        alive = false;
        throw dead();
      }
      return result;
    },
  };
}
