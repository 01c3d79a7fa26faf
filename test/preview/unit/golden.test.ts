/** Recorded events of the real engine, and the reports on them that were read and found right. */
import { describe, expect, it } from "vitest";
import { key } from "../../provider/cloud.js";
import { goldenForms, goldenOf, hasLog, readGolden, readLog } from "../src/recorded.js";
import { planted, scenarios } from "../src/scenarios.js";

const secrets = [
  ...Object.values(planted),
  ...key.privateKey.split("\n").filter((line) => /^[A-Za-z0-9+/=]{30,}$/.test(line)),
];

/** Every planted secret that can be read off a text, in whatever form. */
function leaks(text: string): string[] {
  const readings = [text, text.replace(/[\uFFFD\p{Cf}]/gu, ""), text.replace(/\\([!-/:-@[-`{-~])/g, "$1")];
  const formsOf = (secret: string) => {
    const bytes = Buffer.from(secret);
    const base64 = bytes.toString("base64").replace(/.{1,2}=*$/, "");
    return [secret, base64, bytes.toString("hex"), encodeURIComponent(secret), secret.split(" ").join("-")];
  };
  return secrets.flatMap((secret) =>
    formsOf(secret).filter((form) => readings.some((reading) => reading.includes(form))),
  );
}

describe.each(scenarios.map((it) => [it.name] as const))("the real preview %s", (name) => {
  it("has been recorded, without a path of the machine that did it", () => {
    expect(hasLog(name)).toBe(true);
    expect(readLog(name).match(/(?<![\w.])\/(root|home|tmp|work)\/[^"\\ ]*/g)).toBeNull();
  });

  it("gives the golden report in every form", async () => {
    const golden = await goldenOf(readLog(name));
    for (const form of goldenForms)
      expect(golden[form], `npx tsx test/preview/record.ts --reports --only ${name}`).toBe(readGolden(name, form));
  });

  it("gives the same report whatever the order in which the engine worked", async () => {
    const lines = readLog(name).split("\n").filter(Boolean);
    const isStep = (line: string) => /"(resourcePreEvent|resOutputsEvent)":/.test(line);
    const urn = (line: string) => /"urn":"([^"]*)"/.exec(line)?.[1] ?? "";
    const steps = lines.filter(isStep);
    const byUrn = new Map<string, string[]>();
    for (const line of steps) byUrn.set(urn(line), [...(byUrn.get(urn(line)) ?? []), line]);
    // The steps of one resource keep their order.
    const turned = [...byUrn.values()].reverse().flat();
    const log = lines.map((line) => (isStep(line) ? (turned.shift() ?? "") : line)).join("\n");
    expect((await goldenOf(`${log}\n`)).json).toBe(readGolden(name, "json"));
  });

  it("shows no planted secret", () => {
    for (const form of goldenForms) expect(leaks(readGolden(name, form))).toEqual([]);
  });
});

it("has planted secrets where they would be found: the events themselves repeat them", () => {
  const found = new Set(["secrets", "secrets-refused"].flatMap((name) => leaks(readLog(name))));
  // Each made-up one, the private key, and other ways to write them.
  for (const secret of secrets)
    expect(
      [...found].some((form) => form === secret),
      secret,
    ).toBe(true);
  expect(found.size).toBeGreaterThanOrEqual(secrets.length + 3);
});
