/** What the commands reach; tests give their own. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether people look at it, in colours. */
  readonly colours?: boolean;
  out(text: string): void;
  err(text: string): void;
}

/** The headers that say who calls. */
export function authority(env: Terminal["env"]): Record<string, string> {
  const [key, token] = [env["PINION_KEY"], env["PINION_TOKEN"]];
  return { ...(key && { "x-functions-key": key }), ...(token && { authorization: `Bearer ${token}` }) };
}
