import { z } from "zod";
import { type Check, ok, type Said, stop } from "../finding.ts";
import { reportSchema } from "../report.ts";
import { reasonOf } from "../vault-ask.ts";
import type { Outside } from "./context.ts";

/** That the app answers, and lets the caller ask it how it is. Where its settings or policy are wrong, its own words are passed on. */
export const reached: Check<Outside> = {
  id: "reached",
  area: "Outside",
  about: "the app's address answers, and the caller may read",
  async run(outside, signal) {
    const { url, headers, fetch } = outside;
    const { host } = new URL(url);
    let reply: Response;
    try {
      reply = await fetch(`${url}/doctor`, { headers, redirect: "manual", signal });
    } catch (error) {
      return [
        stop(
          host,
          `did not answer (${reasonOf(error)})`,
          "See that the app is started and the address is right: PINION_URL of azd's outputs, with /api at its end.",
        ),
      ];
    }
    if (reply.status === 200) {
      const report = reportSchema.safeParse(await reply.json().catch(() => undefined));
      if (report.success) {
        outside.report = report.data;
        return [ok(host, `answers as Pinion ${report.data.version}`)];
      }
      return [
        stop(
          host,
          "answers, but not as Pinion does",
          "Check the address: it has to end in /api of Pinion's own function app.",
        ),
      ];
    }
    if (reply.status === 401 || reply.status === 403)
      return [
        stop(
          host,
          `does not let you read (${reply.status})`,
          "Give PINION_TOKEN, an Entra token of somebody with the app role Pinion.Reader, or, without App Service authentication, PINION_KEY.",
        ),
      ];
    if (reply.status === 404)
      return [
        stop(
          host,
          "knows no /doctor (404)",
          "Check that the address ends in /api; an app before this version has no doctor: deploy it anew.",
        ),
      ];
    return await ill(outside, reply.status, signal);
  },
};

/** What `GET /api/health` says of an app that cannot examine itself. */
async function ill({ url, headers, fetch }: Outside, status: number, signal: AbortSignal): Promise<readonly Said[]> {
  const { host } = new URL(url);
  const reply = await fetch(`${url}/health`, { headers, redirect: "manual", signal }).catch(() => undefined);
  const body: unknown = await reply?.json().catch(() => undefined);
  const { settings = [], summary = "", storage } = health.safeParse(body).data ?? {};
  const said = [...settings, ...summary.split("\n- ").slice(1), ...(storage === undefined ? [] : [storage.message])];
  if (said.length > 0)
    return said.map((text) => stop(host, `says: ${text}`, "Correct it; docs/settings.md explains every setting."));
  return [
    stop(
      host,
      `answers ${reply?.status ?? status}`,
      "Read the app's log: Application Insights, or az webapp log tail.",
    ),
  ];
}

const health = z.object({
  settings: z.array(z.string()).optional(),
  summary: z.string().optional(),
  storage: z.object({ message: z.string() }).optional(),
});
