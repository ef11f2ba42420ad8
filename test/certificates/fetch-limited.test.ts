import { describe, expect, test } from "vitest";
import { fetchLimited, isPublic } from "../../src/certificates/fetch-limited.ts";
import { authority, type Handler, signal } from "./authority.ts";

describe("addresses that a certificate names", () => {
  const get = async (url: string, more: { reach?: "public" | "any"; timeout?: number } = {}) =>
    (await fetchLimited({ url, mostBytes: 100, timeout: 1000, signal, ...more })).toString();

  test("lead nowhere inside, be it by name, number or redirect", async () => {
    const port = new URL(authority.base).port;
    for (const url of [
      authority.base,
      `http://localhost:${port}/`,
      `http://127.1/`,
      `http://[::1]/`,
      `http://[::ffff:127.0.0.1]/`,
      "http://2130706433/",
      "http://0x7f000001/",
      "http://169.254.169.254/metadata",
      "http://168.63.129.16/",
      "http://10.0.0.1/",
      "http://localhost/",
      "file:///etc/passwd",
      "http://user:word@1.1.1.1/",
      "http://1.1.1.1:8080/",
      "",
      "http://",
    ])
      await expect(get(url)).rejects.toMatchObject({
        code: "REVOCATION_UNKNOWN",
        message: expect.stringMatching(/not on the Internet|unusual port|by HTTP|password|no URL/),
      });
    expect(authority.asked).toEqual([]);
    authority.handlers = {
      "/to": (_request, _body, reply) => void reply.writeHead(302, { location: "file:///etc/passwd" }).end(),
    };
    await expect(get(`${authority.base}/to`, { reach: "any" })).rejects.toThrow(/not to be asked by HTTP/);
  });

  test("are left when they lead on, say too much, or say nothing", async () => {
    const to =
      (location: string): Handler =>
      (_request, _body, reply) =>
        void reply.writeHead(307, { location }).end();
    authority.handlers = {
      "/1": to("/2"),
      "/2": to(`${authority.base}/3`),
      "/3": (_request, _body, reply) => void reply.end("here"),
      "/loop": to("/loop"),
      "/odd": to("http://[/"),
      "/long": (_request, _body, reply) => void reply.end("x".repeat(101)),
      "/silent": () => {},
    };
    expect(await get(`${authority.base}/1`, { reach: "any" })).toBe("here");
    await expect(get(`${authority.base}/loop`, { reach: "any" })).rejects.toThrow(/redirects without end/);
    expect(authority.asked.filter((one) => one === "GET /loop")).toHaveLength(3);
    await expect(get(`${authority.base}/odd`, { reach: "any" })).rejects.toThrow(/no URL/);
    await expect(get(`${authority.base}/long`, { reach: "any" })).rejects.toThrow(/more than 100 bytes/);
    await expect(get(`${authority.base}/silent`, { reach: "any", timeout: 200 })).rejects.toThrow(/in time/);
    await expect(
      fetchLimited({
        url: `${authority.base}/silent`,
        mostBytes: 1,
        timeout: 9000,
        signal: AbortSignal.timeout(100),
        reach: "any",
      }),
    ).rejects.toThrow(/timeout/);
  });

  test.each([
    ["1.1.1.1", true],
    ["2606:4700::1111", true],
    ["100.64.0.1", false],
    ["172.31.255.255", false],
    ["172.32.0.1", true],
    ["198.18.0.1", false],
    ["224.0.0.1", false],
    ["255.255.255.255", false],
    ["0.0.0.0", false],
    ["::", false],
    ["::ffff:10.0.0.1", false],
    ["::ffff:1.1.1.1", false],
    ["64:ff9b::a00:1", false],
    ["fd00::1", false],
    ["fe80::1", false],
    ["2002:a00:1::", false],
    ["2001:db8::1", false],
    ["localhost", false],
  ])("%s is public: %s", (address, expected) => {
    expect(isPublic(address)).toBe(expected);
  });
});
