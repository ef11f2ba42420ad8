/** One block of a PEM text. */
export interface Block {
  /** For instance `CERTIFICATE` or `PRIVATE KEY`. */
  readonly label: string;
  readonly der: Buffer;
}

/** The blocks of a PEM text in their order; what stands between them is skipped. */
export function readPem(text: string): Block[] {
  const blocks: Block[] = [];
  let label: string | undefined;
  let body = "";
  for (const line of text.split(/\r?\n|\r/)) {
    const [, edge, name] = /^-----(BEGIN|END) ([A-Z0-9 ]+)-----\s*$/.exec(line.trimStart()) ?? [];
    if (edge === "BEGIN") [label, body] = [name, ""];
    else if (edge === "END" && name === label && label !== undefined) {
      blocks.push({ label, der: Buffer.from(body, "base64") });
      label = undefined;
    } else body += line.trim();
  }
  return blocks;
}

/** The key (PKCS#8) first, if there is one, then the certificates; lines of 64 characters. */
export function writePem({ key, certificates }: { key?: Buffer | undefined; certificates: readonly Buffer[] }): string {
  return [
    ...(key ? [block("PRIVATE KEY", key)] : []),
    ...certificates.map((certificate) => block("CERTIFICATE", certificate)),
  ].join("");
}

function block(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
