// `node --import <this file>`: the process sees the local cloud's clock, kept in the file that PINION_CLOCK names.
import { subscribe } from "node:diagnostics_channel";
import type { ServerResponse } from "node:http";
import { openClock, patchDate } from "./clock.ts";

const file = process.env["PINION_CLOCK"];
if (file) {
  patchDate(openClock(file));
  // Node keeps a clock of its own for the Date of replies.
  subscribe("http.server.request.start", (message) => {
    const { response } = message as { readonly response: ServerResponse };
    response.setHeader("date", new Date().toUTCString());
  });
}
