import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { InvalidArgumentError } from "./args/invalidArgument";
import { RefusedChangeError } from "./refusedChange";

it.each([
  ["RefusedChangeError", new RefusedChangeError("C", "no"), "C: no"],
  [
    "InvalidArgumentError",
    new InvalidArgumentError("C", [{ path: "a", given: "1", allowed: "2" }]),
    "C: invalid argument\n  a: given 1; allowed: 2",
  ],
])("a %s is its message, whatever it passes through, and has no frames for Pulumi to print", (name, error, text) => {
  error.message = `error serializing property "host": ${error.message}`;
  expect([error.name, error.message, error.stack]).toEqual([name, text, `${name}: ${text}`]);
  expect(pulumi.RunError.isInstance(error)).toBe(true);
});
