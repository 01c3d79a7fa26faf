/** Arguments of the programs that the kernel's audit saw starting. */

/** One text a program, its arguments with a blank between them, out of an audit log. */
export function execveArguments(log: string): string[] {
  return log
    .split("\n")
    .filter((line) => line.startsWith("type=EXECVE "))
    .map((line) => {
      const parts = new Map<string, string>();
      // Long arguments come in pieces, `a2[0]=… a2[1]=…`; odd ones in hexadecimal, without quotation marks.
      for (const [, index = "", quoted, hex = ""] of line.matchAll(
        / a(\d+)(?:\[\d+\])?=(?:"([^"]*)"|([0-9A-F]+))(?= |$)/g,
      ))
        parts.set(index, (parts.get(index) ?? "") + (quoted ?? Buffer.from(hex, "hex").toString()));
      return [...parts.values()].join(" ");
    });
}
