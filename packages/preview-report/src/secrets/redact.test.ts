import { describe, expect, it } from "vitest";
import { createRedactor } from "./redact.js";

const strewn = (text: string, between = "\u200b") => [...text].join(between);

describe("createRedactor", () => {
  const redactor = createRedactor(["known-secret-1"]);

  it.each(["\u200b", "\u2060", "\u00ad", "\u200d\u200c"])(
    "takes out text with %j strewn in, known or not",
    (between) => {
      for (const text of ["known-secret-1", "correct horse battery"])
        expect(redactor.block(`could not log in: ${strewn(text, between)}, sorry`)).toBe(
          "could not log in: [secret], sorry",
        );
    },
  );

  it("lets single invisible characters be seen, and pictures be", () => {
    expect(redactor.line("we\u200bb")).toBe("we\uFFFDb");
    expect(redactor.line("team 👩‍👩‍👧‍👦 here")).toContain("team");
  });
});
