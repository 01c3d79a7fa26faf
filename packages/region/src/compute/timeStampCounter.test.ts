import { expect, it } from "vitest";
import { counterKhz } from "./timeStampCounter.js";

const cpuinfo = (flags: string, bogomips: string) =>
  `processor\t: 0\ncpu MHz\t\t: 800.000\nflags\t\t: fpu tsc ${flags}\nbogomips\t: ${bogomips}\n\nprocessor\t: 1\nflags\t\t: fpu constant_tsc\nbogomips\t: 1.00\n`;

it.each<[string, string, string, number | undefined]>([
  [
    "half of the first processor's bogomips, not its frequency of the moment",
    "constant_tsc nopl",
    "4890.84",
    2_445_420,
  ],
  ["a whole number", "constant_tsc", "6000", 3_000_000],
  ["nothing where the counter's speed changes", "nopl", "4890.84", undefined],
  ["nothing where a name only begins so", "constant_tsc_not", "4890.84", undefined],
  ["nothing where it is no number", "constant_tsc", "many", undefined],
  ["nothing where it is none", "constant_tsc", "0.00", undefined],
])("tells %s", (_, flags, bogomips, expected) => {
  expect(counterKhz(cpuinfo(flags, bogomips))).toBe(expected);
});

it("tells nothing of an empty text", () => {
  expect(counterKhz("")).toBeUndefined();
});
