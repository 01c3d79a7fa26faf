import { expect, inject, test } from "vitest";

test("up", () => {
  expect(inject("byHand").servers.length).toBe(3);
});
