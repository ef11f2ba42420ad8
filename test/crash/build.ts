import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** A piece of source, named exactly, and what stands in its place. */
export interface Replacement {
  /** From the root: `src/activities/set.ts`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const root = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Builds the app into a folder as scripts/build.mjs does, with pieces of its source replaced. Rejects when a piece is not there, or
 * is there more than once: then the mutation no longer says what it means.
 */
export async function buildApp(out: string, replacements: readonly Replacement[], from: string = root): Promise<void> {
  const byFile = Map.groupBy(replacements, ({ file }) => join(from, file));
  const left = new Set(byFile.keys());
  mkdirSync(out, { recursive: true });
  await build({
    entryPoints: { main: join(from, "src", "main.ts") },
    outdir: out,
    outExtension: { ".js": ".mjs" },
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    keepNames: true,
    minify: true,
    external: ["@azure/functions-core", "pg-native"],
    banner: {
      js: "import{createRequire as __cr}from'node:module';import{fileURLToPath as __fu}from'node:url';import{dirname as __dn}from'node:path';const require=__cr(import.meta.url),__filename=__fu(import.meta.url),__dirname=__dn(__filename);",
    },
    logLevel: "warning",
    plugins: [
      {
        name: "replace",
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const wanted = byFile.get(path);
            if (wanted === undefined) return undefined;
            left.delete(path);
            let contents = readFileSync(path, "utf8");
            for (const { file, from: piece, to } of wanted) {
              if (contents.split(piece).length !== 2)
                throw new Error(`${file} does not hold this exactly once: ${piece}`);
              contents = contents.replace(piece, () => to);
            }
            return { contents, loader: "ts" };
          });
        },
      },
    ],
  });
  if (left.size > 0) throw new Error(`Not part of the app: ${[...left].join(", ")}`);
  copyFileSync(join(from, "host.json"), join(out, "host.json"));
  writeFileSync(join(out, "package.json"), JSON.stringify({ type: "module", main: "main.mjs" }));
}
