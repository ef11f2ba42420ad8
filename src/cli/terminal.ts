/** What the commands reach; tests give their own. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether people look at it, in colours. */
  readonly colours?: boolean;
  out(text: string): void;
  err(text: string): void;
}

/** The headers that say who calls. */
export function authority({ PINION_KEY: key, PINION_TOKEN: token }: Terminal["env"]): Record<string, string> {
  return { ...(key && { "x-functions-key": key }), ...(token && { authorization: `Bearer ${token}` }) };
}
