import { describe, expect, it } from "vitest";
import { execveArguments } from "../audit.js";

const hex = (text: string) => Buffer.from(text).toString("hex").toUpperCase();
const head = "type=EXECVE msg=audit(1764100000.123:456):";

describe("arguments of programs", () => {
  it("are read plain, in hexadecimal, and in pieces", () => {
    const log = [
      `type=SYSCALL msg=audit(1764100000.123:456): arch=c000003e syscall=59 a0=55d a1=7ff comm="sh" exe="/bin/sh"`,
      `${head} argc=3 a0="sh" a1="-c" a2=${hex("echo 'a b' \"c\"")}`,
      `${head} argc=2 a0="docker" a1_len=12 a1[0]=${hex("first ")} a1[1]="second"`,
      `${head} argc=1 a0="AB"`,
    ].join("\n");
    expect(execveArguments(log)).toEqual([`sh -c echo 'a b' "c"`, "docker first second", "AB"]);
  });
});
