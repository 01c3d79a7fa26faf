/** The programs that edit authorized_keys, run by a real shell on files of every kind. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bootstrapHostKey } from "../remote/sshKey";
import { addKeyProgram, removeKeyProgram } from "./authorizedKeys";

const [oldKey, newKey, ...others] = ["old", "new", "ann", "bob"].map(
  (who) => bootstrapHostKey(who, "key", "pair").publicKey,
) as [string, string, ...string[]];
const added = `${newKey} hcloud-swarm\n`;

let home: string;
let file: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "keys-"));
  file = join(home, ".ssh/authorized_keys");
  mkdirSync(join(home, ".ssh"));
  // The disk is not what is tested, and hundreds of files take their time to reach it.
  mkdirSync(join(home, "bin"));
  symlinkSync("/bin/true", join(home, "bin/sync"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const run = (program: string) =>
  spawnSync("sh", ["-s"], {
    input: `set -eu\n${program.replaceAll("~root/", `${home}/`)}`,
    encoding: "utf8",
    env: { ...process.env, PATH: `${join(home, "bin")}:${process.env.PATH}` },
  });
const add = (key = newKey) => run(addKeyProgram(key));
const remove = (key = oldKey, remaining = newKey) => run(removeKeyProgram(key, remaining));
const write = (text: string) => writeFileSync(file, text, { mode: 0o600 });
const read = () => readFileSync(file, "utf8");

describe.skipIf(spawnSync("shellcheck", ["--version"]).status !== 0)("shellcheck", () => {
  it.each([
    ["add", `set -eu\n${addKeyProgram(newKey)}`],
    ["remove", removeKeyProgram(oldKey, newKey)],
  ])("has nothing to say about %s", (_, input) => {
    const { stdout, status } = spawnSync("shellcheck", ["--shell=sh", "-"], { input, encoding: "utf8" });
    expect([stdout, status]).toEqual(["", 0]);
  });
});

/** One line that somebody else put there, or nobody. */
const theirs = fc.oneof(
  fc.constantFrom("", "# a remark", `# ${oldKey}`, "   ", "not a key", "ssh-ed25519", `ssh-ed25519 ${oldKey}`),
  fc
    .tuple(
      fc.constantFrom(
        "",
        'from="10.0.0.0/8,!10.0.0.1" ',
        "no-pty,restrict ",
        `command="echo \\"${oldKey}\\" x",no-pty `,
        `environment="A=${oldKey}" `,
        "cert-authority\t",
        "  ",
      ),
      fc.constantFrom(...others),
      fc.constantFrom("", " ann@home", ` ${oldKey}`, "\r"),
    )
    .map((parts) => parts.join("")),
);
/** One line in which the old key is the key. */
const ours = fc
  .tuple(
    fc.constantFrom("", " ", "\t", "restrict ", 'command="a b",no-pty  '),
    fc.constantFrom("", " root@x", "\r", "\t"),
  )
  .map(([before, after]) => `${before}${oldKey}${after}`);
const line = fc.oneof(
  theirs.map((text) => ({ text, old: false })),
  ours.map((text) => ({ text, old: true })),
);
const keysFile = fc.record({ lines: fc.array(line, { maxLength: 8 }), ended: fc.boolean() });
const textOf = (lines: readonly { text: string }[], ended = true) =>
  lines
    .map(({ text }) => `${text}\n`)
    .join("")
    .slice(0, ended ? undefined : -1);

describe("any authorized_keys", () => {
  it("gets the new key at its end, once, and nothing else changes", () => {
    fc.assert(
      fc.property(keysFile, ({ lines, ended }) => {
        const text = textOf(lines, ended);
        const whole = text === "" || text.endsWith("\n") ? text : `${text}\n`;
        write(text);
        expect(add()).toMatchObject({ status: 0, stdout: "", stderr: "" });
        expect(read()).toBe(whole + added);
        expect(add().status).toBe(0);
        expect(read()).toBe(whole + added);
      }),
      { numRuns: 40 },
    );
  });

  it("loses every line of the old key, once, and no other", () => {
    fc.assert(
      fc.property(keysFile, fc.nat(8), ({ lines }, place) => {
        const all = lines.toSpliced(place, 0, { text: newKey, old: false });
        write(textOf(all));
        expect(remove()).toMatchObject({ status: 0, stdout: "", stderr: "" });
        const left = textOf(all.filter(({ old }) => !old));
        expect(read()).toBe(left);
        expect(remove().status).toBe(0);
        expect(read()).toBe(left);
      }),
      { numRuns: 40 },
    );
  });

  it("is at every moment one of the two that let a key in", () => {
    write(`${oldKey}\n`);
    add();
    expect(read()).toBe(`${oldKey}\n${added}`);
    remove();
    expect(read()).toBe(added);
    // And back again.
    add(oldKey);
    remove(newKey, oldKey);
    expect(read()).toBe(`${oldKey} hcloud-swarm\n`);
  });
});

describe("the file", () => {
  it("is made where there is none, for its owner alone", () => {
    rmSync(join(home, ".ssh"), { recursive: true });
    expect(add().status).toBe(0);
    expect(read()).toBe(added);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, ".ssh")).mode & 0o777).toBe(0o700);
  });

  it("keeps its mode, stays where a link leads to, and leaves nothing beside it", () => {
    const real = join(home, "keys");
    writeFileSync(real, `${oldKey}\n`);
    chmodSync(real, 0o640);
    symlinkSync(real, file);
    expect([add().status, remove().status]).toEqual([0, 0]);
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(read()).toBe(added);
    expect(statSync(real).mode & 0o777).toBe(0o640);
    expect(readdirSync(home).sort()).toEqual([".ssh", "bin", "keys"]);
  });

  it("loses nothing while the new key is not in it, or is bound to conditions", () => {
    for (const text of [`${oldKey}\n`, `${oldKey}\nrestrict ${newKey}\n`, `${oldKey}\n# ${newKey}\n`]) {
      write(text);
      expect(remove()).toMatchObject({ status: 1, stderr: expect.stringMatching(/the new key is not in/) });
      expect(read()).toBe(text);
    }
    rmSync(file);
    expect(remove().status).not.toBe(0);
    expect(existsSync(file)).toBe(false);
  });

  it("gets the key to itself where it has it under conditions", () => {
    write(`from="10.0.0.0/8" ${newKey}\n`);
    add();
    expect(read()).toBe(`from="10.0.0.0/8" ${newKey}\n${added}`);
  });
});
