import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { checkGo } from "./build.mjs";
import { locate } from "./locate.mjs";
import { withLock } from "./lock.mjs";
import { builtMark, cacheNameOf, engineDir, languagePieces, pieces, sourcesOf, versionOf } from "./pieces.mjs";

const scratch = mkdtempSync(join(tmpdir(), "engine-unit-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const [cli, , hcloud, command] = pieces;

function program(file, text = "#!/bin/sh\n") {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  return file;
}

function environment(name) {
  const bin = join(scratch, name, "bin");
  mkdirSync(bin, { recursive: true });
  return { bin, env: { PATH: bin, PULUMI_HOME: join(scratch, name, "home") } };
}

test("a user's own on PATH is found; the CLI must be new enough", async () => {
  const { bin, env } = environment("path");
  const provider = program(join(bin, "pulumi-resource-hcloud"));
  assert.equal((await locate(hcloud, env)).found?.file, provider);
  const pulumi = program(join(bin, "pulumi"), "#!/bin/sh\necho v3.150.0\n");
  const old = await locate(cli, env);
  assert.equal(old.found, undefined);
  assert.match(old.refused[0], /3\.150\.0.*3\.200\.0 or later/);
  program(pulumi, "#!/bin/sh\necho v3.201.0-beta\n");
  assert.deepEqual((await locate(cli, env)).found, { file: pulumi, source: "path", version: "3.201.0-beta" });
  program(pulumi, "#!/bin/sh\nexit 1\n");
  assert.match((await locate(cli, env)).refused[0], /does not tell its version/);
});

test("installed plugins are found, the newest good one first", async () => {
  const { env } = environment("plugins");
  const plugin = (version) =>
    join(env.PULUMI_HOME, "plugins", `resource-command-v${version}`, "pulumi-resource-command");
  program(plugin("1.1.0"));
  program(plugin("1.2.1"));
  program(plugin("4.5.0"));
  const { found, refused } = await locate(command, env);
  assert.deepEqual(found, { file: plugin("1.2.1"), source: "plugins", version: "1.2.1" });
  assert.match(refused[0], /4\.5\.0/);
});

test("what we built is never taken for a user's own", async () => {
  const { bin, env } = environment("ours");
  const built = program(join(scratch, "other-checkout", "piece", "pulumi-resource-hcloud"));
  symlinkSync(built, join(bin, "pulumi-resource-hcloud"));
  assert.ok((await locate(hcloud, env)).found);
  writeFileSync(join(dirname(built), builtMark), "{}");
  assert.equal((await locate(hcloud, env)).found, undefined);
});

test("the cache's name depends on sources, not on tests", () => {
  assert.equal(cacheNameOf(command), cacheNameOf(command));
  assert.ok(sourcesOf(command).includes("internal/remote/dial.go"));
  assert.ok(!sourcesOf(command).some((file) => file.endsWith("_test.go")));
  const names = new Set(pieces.map(cacheNameOf));
  assert.equal(names.size, pieces.length);
  for (const piece of pieces) assert.match(versionOf(piece), /^\d+\.\d+\.\d+$/);
});

test("a missing Go is one clear error", async () => {
  const path = process.env.PATH;
  try {
    process.env.PATH = scratch;
    await assert.rejects(
      checkGo([command]),
      /Go 1\.\d+.* must be on PATH to build pulumi-resource-command.*there is no go/,
    );
    const old = join(scratch, "old-go");
    program(join(old, "go"), "#!/bin/sh\necho go1.19.2\n");
    process.env.PATH = old;
    await assert.rejects(checkGo([command]), /there is go1\.19\.2/);
  } finally {
    process.env.PATH = path;
  }
});

test("the lock lets one in at a time", async () => {
  const lock = join(scratch, "lock");
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((done) => setTimeout(done, 30));
    inside -= 1;
  };
  await Promise.all([1, 2, 3].map(() => withLock(lock, () => {}, work)));
  assert.equal(most, 1);
  assert.ok(!existsSync(lock));
});

test("a lock whose holder died is broken, a live one is waited for", async () => {
  const lock = join(scratch, "held");
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  writeFileSync(lock, JSON.stringify({ pid: child.pid, host: hostname() }));
  const waits = [];
  let entered = false;
  const waiting = withLock(
    lock,
    (pid) => waits.push(pid),
    async () => {
      entered = true;
    },
  );
  await new Promise((done) => setTimeout(done, 400));
  assert.deepEqual([waits, entered], [[child.pid], false]);
  child.kill();
  await waiting;
  assert.ok(entered);

  // A holder on another machine counts as dead after a minute of silence.
  writeFileSync(lock, JSON.stringify({ pid: 1, host: "another-machine" }));
  const longAgo = new Date(Date.now() - 120_000);
  utimesSync(lock, longAgo, longAgo);
  await withLock(
    lock,
    () => assert.fail("waited for a dead holder"),
    async () => {},
  );
});

test("the command line prints the directory, and nothing else, with --print-path", () => {
  const script = join(engineDir, "ensure.mjs");
  const printed = execFileSync(process.execPath, [script, "--print-path"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  for (const piece of pieces) assert.ok(existsSync(join(printed.trim(), piece.binary)), piece.binary);
  const started = Date.now();
  const used = JSON.parse(
    execFileSync(process.execPath, [script, "--json"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );
  assert.ok(Date.now() - started < 1000, "a second run takes a second or more");
  assert.deepEqual(
    used.pieces.map((piece) => piece.name),
    pieces.map((piece) => piece.name),
  );
});

test("other languages add hosts, each under a name of its own, and change no piece that everybody builds", () => {
  const linked = languagePieces.map((piece) => piece.link ?? piece.binary);
  assert.equal(new Set(linked).size, linked.length);
  for (const language of ["nodejs", "python", "yaml"])
    assert.ok(linked.includes(`pulumi-language-${language}`), language);
  const names = languagePieces.map(cacheNameOf);
  for (const piece of pieces) assert.ok(names.includes(cacheNameOf(piece)), piece.name);
  for (const piece of languagePieces) assert.match(versionOf(piece), /^\d+\.\d+\.\d+$/, piece.name);
});
