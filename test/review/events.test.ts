import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { openPublisher } from "../../src/events.ts";

it("gives up a topic that does not answer, long before the step's own deadline", async () => {
  const open: Socket[] = [];
  const silent = createServer((socket) => void open.push(socket));
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  try {
    const endpoint = `https://127.0.0.1:${(silent.address() as AddressInfo).port}/api/events`;
    const token = { token: "t", expiresOnTimestamp: Number.MAX_SAFE_INTEGER };
    const publish = openPublisher(endpoint, "/pinion", { getToken: async () => token });
    const began = performance.now();
    const event = { type: "Pinion.Rotation.Started", id: "r-1/preflight", subject: "s", time: "2026-06-01T00:00:00Z" };
    await expect(publish({ ...event, type: "Pinion.Rotation.Started", data: {} })).rejects.toThrow("aborted");
    expect(open.length).toBeGreaterThan(0);
    expect(performance.now() - began).toBeLessThan(8_000);
  } finally {
    for (const socket of open) socket.destroy();
    silent.close();
  }
});
