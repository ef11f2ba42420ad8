import { expect, test } from "vitest";
import { scramVerifier } from "../../rotators/shared/postgres/scram.ts";

test("matches the example of RFC 7677, section 3", () => {
  // The exchange there (user `user`, password `pencil`) fixes salt and count; its proof and signature follow from these keys.
  const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");
  expect(scramVerifier("pencil", salt)).toBe(
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
  );
});

test("salts anew each time", () => {
  expect(scramVerifier("pencil")).not.toBe(scramVerifier("pencil"));
});

test("prepares what is not ASCII as RFC 4013 says", () => {
  const salt = Buffer.alloc(16);
  expect(scramVerifier("I\u00ADX", salt)).toBe(scramVerifier("IX", salt));
  expect(scramVerifier("\u00AA", salt)).toBe(scramVerifier("a", salt));
  expect(scramVerifier("a\u00A0b", salt)).toBe(scramVerifier("a b", salt));
});
