/**
 * Whether App Service authentication itself refused: it names each request that it looks at, and challenges with `Bearer`. The Functions host
 * does neither for a missing key, nor does Pinion. Unconfirmed on Flex Consumption: that neither is there proves nothing by itself.
 */
export const isByAuthentication = ({ status, headers }: Response): boolean =>
  (status === 401 || status === 403) &&
  (headers.has("x-ms-middleware-request-id") || /^Bearer\b/i.test(headers.get("www-authenticate") ?? ""));
