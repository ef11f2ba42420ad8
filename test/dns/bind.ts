import { namedPath } from "../../local/targets/bind.ts";

/** Tests that need BIND are left out where it is missing, and visibly; in CI they must run. */
export const bindIsMissing = namedPath === undefined && process.env["CI"] !== "true";

/** What the name of such a test ends with. */
export const needsBind = bindIsMissing ? " (left out: this machine has no named; install bind9)" : "";
