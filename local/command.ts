import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Reads the command line. Asked for help it prints the usage and ends with 0; of a fault it says what is wrong, and ends with 2. */
export function readCommand<const T extends Options>(usage: string, options: T) {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : "?"}\n\n${usage}`);
    process.exit(2);
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
