// npm run vault [-- options]: Key Vaults for anybody's tests. `-- --help` lists the options.
import { UsageError, help, parseOptions } from "./cli/options.ts";
import { asJson, asText } from "./cli/text.ts";

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") console.log(help);
  else {
    // Loaded only now, so that help and refusals come at once.
    const { run } = await import("./cli/run.ts");
    const running = await run(options);
    console.log(options.json ? asJson(running, options) : asText(running, options, running.keyPlace));
    await new Promise<void>((end) => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => end());
    });
    await running.close();
  }
  process.exit(0);
} catch (error) {
  const { message } = error as Error;
  const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
  console.error(taken ? `${message}. Choose other ports with --port.` : message);
  if (error instanceof UsageError) console.error("npm run vault -- --help lists the options.");
  process.exit(error instanceof UsageError ? 2 : 1);
}
