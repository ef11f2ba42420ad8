import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Reads the command line. Asked for help it prints the usage and ends with 0; of a fault it says what is wrong, and ends with 2. */
export function readCommand<const T extends Options>(usage: string, options: T) {
  const args = process.argv.slice(2);
  const end = (code: 0 | 2, text: string): never => {
    (code === 0 ? console.log : console.error)(text);
    process.exit(code);
  };
  if (args.includes("--help") || args.includes("-h")) return end(0, usage);
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    return end(2, `${error instanceof Error ? error.message : "?"}\n\n${usage}`);
  }
}

/** From here on an error that nobody catches ends the program with its sentence alone. A fault of the code keeps its stack. */
export function endWithSentence(): void {
  process.on("uncaughtException", (error: unknown) => {
    const plain = error instanceof Error && !(error instanceof TypeError || error instanceof ReferenceError);
    console.error(plain ? error.message : error);
    process.exit(1);
  });
}
