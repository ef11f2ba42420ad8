import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { blocksOf, readFile } from "../docs/page.ts";

/** The check of a call's signature as docs/consumers/webhook.md has it, for receivers of these tests. */
export type IsPinion = (key: string, headers: IncomingHttpHeaders, body: string, now?: number) => boolean;

export const { isPinion } = compile();

function compile(): { readonly isPinion: IsPinion } {
  const block = blocksOf(readFile("docs/consumers/webhook.md")).find(({ language }) => language === "js");
  const code = (block?.text ?? "").replace(/^import .*\n/m, "").replace(/^export /m, "");
  // oxlint-disable-next-line typescript/no-implied-eval -- the page's own text, with what it imports
  const make = new Function("createHmac", "timingSafeEqual", `${code}\nreturn { isPinion };`);
  return make(createHmac, timingSafeEqual) as { isPinion: IsPinion };
}
