// The URLs that clients are given (the extension's HttpApiHandler.GetClientResponseLinks and GetInstanceCreationLinks).

const idPlaceholder = "INSTANCEID";

/** Management URLs of one instance. `base` is the API's absolute URL, `key` the system key, if it takes one. */
export function managementUrls(base: string, id: string, hub: string, key: string | undefined) {
  const suffix = `taskHub=${encodeURIComponent(hub)}&connection=Storage${key ? `&code=${encodeURIComponent(key)}` : ""}`;
  const instance = `${base}/instances/${id === idPlaceholder ? id : encodeURIComponent(id)}`;
  return {
    id,
    statusQueryGetUri: `${instance}?${suffix}`,
    sendEventPostUri: `${instance}/raiseEvent/{eventName}?${suffix}`,
    terminatePostUri: `${instance}/terminate?reason={text}&${suffix}`,
    rewindPostUri: `${instance}/rewind?reason={text}&${suffix}`,
    purgeHistoryDeleteUri: `${instance}?${suffix}`,
    restartPostUri: `${instance}/restart?${suffix}`,
    suspendPostUri: `${instance}/suspend?reason={text}&${suffix}`,
    resumePostUri: `${instance}/resume?reason={text}&${suffix}`,
  };
}

/** The JSON text that a `durableClient` input binding gets. */
export function clientBinding(
  urls: { readonly web: string; readonly rpc: string; readonly key: string },
  hub: string,
): string {
  const code = `code=${encodeURIComponent(urls.key)}`;
  const create = `${urls.web}/orchestrators/{functionName}[/{instanceId}]`;
  return JSON.stringify({
    taskHubName: hub,
    connectionName: null,
    creationUrls: {
      createNewInstancePostUri: `${create}?${code}`,
      createAndWaitOnNewInstancePostUri: `${create}?timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}&${code}`,
    },
    managementUrls: managementUrls(urls.web, idPlaceholder, hub, urls.key),
    baseUrl: urls.web,
    requiredQueryStringParameters: code,
    // The SDK resolves paths against it, so it has to end with a slash.
    rpcBaseUrl: urls.rpc.endsWith("/") ? urls.rpc : `${urls.rpc}/`,
    httpBaseUrl: null,
  });
}
