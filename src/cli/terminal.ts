import { parseArgs, type ParseArgsConfig } from "node:util";

/** What the commands reach; tests give their own. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether people look at it, in colours. */
  readonly colours?: boolean;
  out(text: string): void;
  err(text: string): void;
}

/** The headers that say who calls. */
export function authority(env: Terminal["env"]): Record<string, string> {
  const [key, token] = [env["PINION_KEY"], env["PINION_TOKEN"]];
  return { ...(key && { "x-functions-key": key }), ...(token && { authorization: `Bearer ${token}` }) };
}

/**
 * A command's options and the words beside them; or, when help was asked for or the line was not understood, that it was said and the
 * exit code, 0 or 2.
 */
export function readArguments<const T extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: T,
  help: string,
  { out, err }: Terminal,
) {
  if (args.includes("--help") || args.includes("-h")) {
    out(help);
    return { understood: false, code: 0 } as const;
  }
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { understood: true, values, words: positionals } as const;
  } catch (error) {
    // Its further sentences are about positional arguments.
    const [what = ""] = (error instanceof Error ? error.message : "?").split(/\.? (?=To )/);
    err(`${what.replace(/\.$/, "")}.\n\n${help}`);
    return { understood: false, code: 2 } as const;
  }
}
