// Names of calls: what is asked for, the same in every run, and without values.

const trim = (path: string): string => path.replace(/\/+$/, "");

/** `PUT /secrets/orders-db`; versions and staging hashes are left out, the unauthorised first request is told apart. */
export function vaultCall(method: string, url: URL, authorised: boolean): string {
  const path = trim(url.pathname)
    .replace(/\/[0-9a-f]{32}$/, "/{version}")
    .replace(/pinion-stage-[0-9a-f]+/, "{staging}");
  return `${method} ${path}${authorised ? "" : " (challenge)"}`;
}

/** `PUT sites/orders-api/config/appsettings`; what is asked of another provider at that resource is named after it. */
export function armCall(method: string, url: URL): string {
  const path = trim(url.pathname).replace(/pinion-stage-[0-9a-f]+/, "{staging}");
  return `${method} ${path.replace(/^.*?\/providers\/[^/]+\//, "")}`;
}

/** `PUT pinion-leases/{lease} lease acquire`; `PUT pinion-evidence/{evidence}` */
export function blobCall(method: string, url: URL, leaseAction: string | undefined): string {
  const [, , container = "", ...rest] = trim(url.pathname).split("/");
  const blob = rest.length === 0 ? "" : /^pinion-(leases|evidence)$/.test(container) ? "/{name}" : `/${rest.join("/")}`;
  const what = [url.searchParams.get("restype"), url.searchParams.get("comp"), leaseAction].filter(
    (part) => part != null,
  );
  return [`${method} ${container}${blob}`, ...what].join(" ");
}

/** `PUT PinionRecords state`; `POST $batch`; a batch is one call, since it is one transaction. */
export function tableCall(method: string, url: URL): string {
  const [, , table = ""] = decodeURIComponent(trim(url.pathname)).split("/");
  const row = /RowKey='([^'!]*)/.exec(table)?.[1];
  return `${method} ${table.replace(/\(.*/, "")}${row === undefined ? "" : ` ${row}`}`;
}

/** A statement without its literals, in one line, cut short. */
export function statementName(sql: string): string {
  const line = sql
    .replace(/'(?:[^']|'')*'/g, "?")
    .replace(/--.*$/gm, "")
    .replace(/\s+/g, " ")
    .trim();
  return line.length > 70 ? `${line.slice(0, 69)}…` : line;
}
