// Why a call of the API came to nothing, and what to do about it, in words for the person at the terminal.

/** Of an answer that is no success; `detail` is what the API says itself. */
export function ofAnswer(status: number, url: string, detail: string): string {
  if (detail !== "") return detail;
  if (status === 401)
    return "The API does not know who you are (401): set PINION_TOKEN to an Entra token of somebody with a role in the app, or, without App Service authentication, PINION_KEY to a function key.";
  if (status === 403)
    return "The API does not let you do that (403): it takes the app role Pinion.Reader to read, Pinion.Operator for everything else.";
  if (status === 404) return `There is no Pinion at ${url} (404): check the address, which ends in /api.`;
  if (status >= 500) return `The app answered ${status}: it may be starting; \`npm run pinion -- doctor\` says more.`;
  return `The API answered ${status}.`;
}

/** Of an answer that Pinion would not give. */
export const notPinion = (url: string): string =>
  `What answers at ${url} is not Pinion: check the address, which ends in /api.`;

/** Of a call that had no answer. */
export function ofConnection(error: unknown, url: string): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const words = cause instanceof Error ? cause.message : "unknown";
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const { host, hostname } = new URL(url);
  if (code === "ECONNREFUSED")
    return `Nothing listens at ${host} (${code}): check the address, and that Pinion runs. On this machine \`npm start\` runs one, and .pinion/endpoints.json has its address.`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `${hostname} does not resolve (${code}): check the address; a private app has one on its network only.`;
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code))
    return `The certificate of ${host} is not trusted here (${code}): name its authority in NODE_EXTRA_CA_CERTS.`;
  if (/redirect/.test(words))
    return `${host} sends elsewhere instead of answering: check the address, which ends in /api.`;
  return `${host} was not reached: ${words}. Check the address, and this machine's way there.`;
}
