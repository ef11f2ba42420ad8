import { run } from "./cli/run.ts";

// `npm run pinion -- <command>`: the API of a running Pinion, for people.

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  colours: process.stdout.isTTY && process.env["NO_COLOR"] === undefined,
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
});
