/** The registered name that `name` means: the host matches functions without regard to case. */
export function registered(names: ReadonlySet<string>, name: string): string | undefined {
  if (names.has(name)) return name;
  return [...names].find((one) => one.toLowerCase() === name.toLowerCase());
}

/** What the extension says of a function that is not there. */
export function unknownFunction(name: string, kind: "activity" | "orchestrator", names: ReadonlySet<string>): string {
  const known =
    names.size > 0
      ? `The following are the known ${kind} functions: '${[...names].join("', '")}'.`
      : `No ${kind} functions are currently registered!`;
  return `The function '${name}' doesn't exist, is disabled, or is not an ${kind} function. Additional info: ${known}`;
}
