/** Something that ends once. All of it happens in one turn: whoever waits is called from within `end`. */
export interface Task {
  ended: boolean;
  failed: boolean;
  readonly waiters: (() => void)[];
}

export function newTask(): Task {
  return { ended: false, failed: false, waiters: [] };
}

export function end(task: Task, failed = false): void {
  if (task.ended) return;
  task.ended = true;
  task.failed = failed;
  for (const next of task.waiters.splice(0)) next();
}

export function whenEnded(task: Task, next: () => void): void {
  if (task.ended) next();
  else task.waiters.push(next);
}

/** Ends when all have, or at the first failure. */
export function all(tasks: readonly Task[], failFast: boolean): Task {
  const whole = newTask();
  for (const task of tasks) {
    whenEnded(task, () => {
      if (failFast && task.failed) end(whole, true);
      if (tasks.every((one) => one.ended)) {
        end(
          whole,
          tasks.some((one) => one.failed),
        );
      }
    });
  }
  return whole;
}

/** Ends with the first that does. */
export function any(tasks: readonly Task[]): Task {
  const whole = newTask();
  for (const task of tasks) whenEnded(task, () => end(whole));
  return whole;
}
