/** What a command takes, which has no options but its help. */
export interface Words {
  readonly usage: string;
  /** What each word stands for, as the usage has it; those that may be left out are in brackets. */
  readonly names: readonly string[];
}

/**
 * The words of a command line; or, when help was asked for or they were not understood, the exit code, 0 or 2, and what was said is
 * printed.
 */
export function readWords(args: readonly string[], { usage, names }: Words): readonly string[] | 0 | 2 {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(usage);
    return 0;
  }
  const missing = names.slice(args.length).find((name) => !name.startsWith("["));
  const option = args.find((word) => word.startsWith("-"));
  const fault =
    option !== undefined
      ? `Unknown option '${option}'`
      : args.length > names.length
        ? `${args[names.length]} is one word too many`
        : missing === undefined
          ? undefined
          : `${missing} is missing`;
  if (fault === undefined) return args;
  console.error(`${fault}.\n\n${usage}`);
  return 2;
}
