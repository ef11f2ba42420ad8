/** Progress on one line: rewritten where a terminal reads it, written once otherwise. */
export interface Progress {
  step(part: string): void;
  end(sentence: string): void;
}

export function createProgress(title: string, out: NodeJS.WriteStream = process.stdout): Progress {
  const done: string[] = [];
  const line = () => `${title}: ${done.join(", ")}`;
  return {
    step(part) {
      done.push(part);
      if (out.isTTY) out.write(`\r\x1b[K${line()} …`);
    },
    end(sentence) {
      out.write(out.isTTY ? `\r\x1b[K${line()}\n${sentence}\n` : `${line()}\n${sentence}\n`);
    },
  };
}
