import { PinionError } from "../errors.ts";

/** How one step waits for an operation of Azure; milliseconds. The step itself is stopped after 40 seconds. */
const patience = 20_000;
const shortest = 50;
const usual = 5_000;

/**
 * Waits for the long-running operation that a 201 or 202 began (Azure REST guidelines: `Azure-AsyncOperation` shows a status, `Location`
 * answers 202 until it is over), asking as often as Retry-After says; false when it began none. The outcome is not returned: read the
 * resource back. Throws `CONSUMER_NOT_MOVED` (transient) while it goes on, or cannot be asked for: the next try of the step finds by
 * reading back that it happened; `CONSUMER_UNREACHABLE` or `CONSUMER_MISCONFIGURED` when it failed, with Azure's own code, never its text.
 */
export async function awaitOperation(
  reply: Response,
  endpoint: string,
  token: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (reply.status !== 201 && reply.status !== 202) return false;
  const status = reply.headers.get("azure-asyncoperation");
  // With 201 the Location may be that of the new resource.
  const location = status ?? (reply.status === 202 ? reply.headers.get("location") : null);
  if (location === null) return false;
  const url = new URL(location, endpoint);
  // The token goes to Azure Resource Manager only, whatever a reply says.
  if (url.origin !== new URL(endpoint).origin) throw unfinished();
  const until = performance.now() + patience;
  for (let wait = retryAfter(reply); performance.now() + wait <= until;) {
    await pause(wait, signal);
    const last = await fetch(url, { signal, headers: { authorization: `Bearer ${token}` } }).catch(() => undefined);
    signal.throwIfAborted();
    // What cannot be asked for, or only later (429), says nothing of the change.
    if (last === undefined || !last.ok) throw unfinished();
    wait = retryAfter(last);
    if (status === null && last.status !== 202) return true;
    if (status === null) continue;
    const { status: state, error } = (await last.json()) as { status?: string; error?: { code?: string } };
    if (state === "Succeeded") return true;
    if (state === "Failed" || state === "Canceled") throw failed(state, error?.code);
  }
  throw unfinished();
}

function retryAfter({ headers }: Response): number {
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.max(shortest, seconds * 1000) : usual;
}

/** Ends early, with the signal's reason, when it aborts. */
function pause(wait: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, wait);
    signal.addEventListener("abort", stop, { once: true });
  });
}

const unfinished = () =>
  new PinionError("CONSUMER_NOT_MOVED", "Azure still works on the change; the step looks again.", {
    class: "transient",
  });

/** Codes that tell of a bad moment, not of a bad request. */
const passing = /internal|timeout|timedout|busy|conflict|throttl|toomany|unavailable|retry/i;

function failed(state: string, given: string | undefined): PinionError {
  const code = given !== undefined && /^[A-Za-z0-9_.]{1,80}$/.test(given) ? given : state;
  return passing.test(code)
    ? new PinionError(
        "CONSUMER_UNREACHABLE",
        `Azure could not make the change now (${code}); the step is tried again.`,
        {
          class: "transient",
        },
      )
    : new PinionError(
        "CONSUMER_MISCONFIGURED",
        `Azure refused the change (${code}): correct the resource, or its identity's right to the key.`,
      );
}
