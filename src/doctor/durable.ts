import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Context } from "./context.ts";
import { type Check, fault, ok, type Said, stop, unknown, warning } from "./finding.ts";
import { reasonOf } from "./vault-ask.ts";

const schema = z.object({
  extensions: z.object({
    durableTask: z.object({
      hubName: z.string().optional(),
      defaultVersion: z.string().optional(),
      storageProvider: z
        .object({ type: z.string().optional(), connectionStringName: z.string().optional() })
        .default({}),
      tracing: z.object({ traceInputsAndOutputs: z.boolean().optional() }).optional(),
    }),
  }),
});

/** That long rotations outlive a deployment, and that the engine answers. */
export const durable: Check<Context> = {
  id: "durable",
  area: "Durable",
  about: "host.json names the task hub and the version, and the durable backend answers",
  needs: ["settings", "identity"],
  async run(context, signal) {
    const text = await readFile(join(context.folder, "host.json"), "utf8").catch(() => undefined);
    if (text === undefined)
      return [unknown("host.json", "is not in the app's folder", "Build the app: npm run build.")];
    const parsed = schema.safeParse(parseJson(text));
    if (!parsed.success)
      return [fault("host.json", "has no extensions.durableTask", "Deploy the host.json that npm run build makes.")];
    const { hubName, defaultVersion, storageProvider, tracing } = parsed.data.extensions.durableTask;
    const set = (name: string) => context.env[`AzureFunctionsJobHost__extensions__durableTask__${name}`];
    // As in `%TASKHUB_NAME%`, which the host reads from the settings.
    const hub = (set("hubName") ?? hubName)?.replaceAll(
      /%([^%]+)%/g,
      (text, name: string) => context.env[name] ?? text,
    );
    const said: Said[] = [];
    if (hub === undefined)
      said.push(
        warning(
          "host.json",
          "names no task hub, so it is the site's name and changes with a swap",
          "Set extensions.durableTask.hubName.",
        ),
      );
    else if (hub.includes("%"))
      said.push(
        fault(
          "host.json",
          `names the task hub ${hub}, and there is no such setting`,
          "Set it as infra/main.bicep does.",
        ),
      );
    else if (!isScheduled(storageProvider.type) && !/^[A-Za-z][A-Za-z0-9]{2,44}$/.test(hub))
      said.push(
        fault(
          "host.json",
          `names the task hub ${hub}, which Azure Storage cannot have`,
          "Use 3 to 45 letters and digits, a letter first.",
        ),
      );
    if ((set("defaultVersion") ?? defaultVersion) === undefined)
      said.push(
        fault(
          "host.json",
          "has no defaultVersion, so a rotation that is under way meets the next release's code",
          "Set extensions.durableTask.defaultVersion, as in the host.json of the build.",
        ),
      );
    if (tracing?.traceInputsAndOutputs === true)
      said.push(
        warning(
          "host.json",
          "writes the inputs of rotations into traces",
          "Set extensions.durableTask.tracing.traceInputsAndOutputs to false.",
        ),
      );
    said.push(...(await backend(context, storageProvider, signal)));
    return said.length > 0 ? said : [ok(`task hub ${hub}`, "answers")];
  },
};

/** Whether the backend is a Durable Task Scheduler. */
const isScheduled = (type: string | undefined): boolean => type?.toLowerCase() === "azuremanaged";

/** The app asks its engine; a laptop can only look whether a scheduler is there. */
async function backend(
  { engine, env }: Context,
  {
    type,
    connectionStringName = "DURABLE_TASK_SCHEDULER_CONNECTION_STRING",
  }: { readonly type?: string | undefined; readonly connectionStringName?: string | undefined },
  signal: AbortSignal,
): Promise<readonly Said[]> {
  const scheduled = isScheduled(type);
  if (scheduled) {
    const endpoint = /(^|;)\s*Endpoint=([^;]+)/i.exec(env[connectionStringName] ?? "")?.[2];
    if (endpoint === undefined || !URL.canParse(endpoint))
      return [
        fault(
          connectionStringName,
          "names no endpoint of a Durable Task Scheduler",
          "Set it as infra/main.bicep does, or deploy with durableBackend AzureStorage.",
        ),
      ];
    try {
      await fetch(endpoint, { signal, redirect: "manual" });
    } catch (error) {
      return [
        fault(
          new URL(endpoint).host,
          `did not answer (${reasonOf(error)})`,
          "Check that the scheduler exists and that the app's network lets it out.",
        ),
      ];
    }
  }
  if (engine === undefined) return [];
  try {
    await engine.running("pinion-doctor");
    return [];
  } catch {
    return [
      stop(
        "the durable engine",
        "does not answer",
        scheduled
          ? "Give the app's identity Durable Task Data Contributor on the task hub."
          : "Give the app's identity its roles on AzureWebJobsStorage; the host's log says what it lacks.",
      ),
    ];
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
