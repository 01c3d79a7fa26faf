import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the published npm packages are installed that the programs use. */
export const packages = fileURLToPath(new URL("../../../packages/swarm/node_modules", import.meta.url));

/**
 * A throw-away Pulumi project with one stack, "dev", in a local file backend below a temporary directory.
 * Network: the endpoint of hcloud is a port that nobody listens on, and whatever a Go program would ask of an outside
 * host goes to a proxy that answers nothing and remembers it (`outside`).
 * Call `close` at the end; it deletes everything.
 */
export async function openProject({ enginePath, files, env = {} }) {
  if (!existsSync(join(packages, "@pulumi/pulumi"))) {
    throw new Error("the npm packages are not installed: run `npm run bootstrap` first");
  }
  const dir = mkdtempSync(join(tmpdir(), "engine-check-"));
  for (const name of ["state", "home", "node_modules"]) mkdirSync(join(dir, name));
  symlinkSync(join(packages, "@pulumi"), join(dir, "node_modules/@pulumi"));
  const manifest = { name: "engine-check", private: true, main: Object.keys(files)[0] };
  writeFileSync(join(dir, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(dir, "Pulumi.yaml"), "name: engine-check\nruntime: nodejs\n");
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);

  const outside = [];
  const trap = createServer((request, response) => {
    outside.push(`${request.method} ${request.url}`);
    response.writeHead(502).end();
  });
  trap.on("connect", (request, socket) => {
    outside.push(`CONNECT ${request.url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await new Promise((done) => trap.listen(0, "127.0.0.1", done));
  const proxy = `http://127.0.0.1:${trap.address().port}`;
  const closedPort = await freePort();

  const fullEnv = {
    PATH: `${enginePath}${delimiter}${process.env.PATH}`,
    HOME: join(dir, "home"),
    TMPDIR: process.env.TMPDIR ?? tmpdir(),
    PULUMI_HOME: join(dir, "home"),
    PULUMI_BACKEND_URL: `file://${join(dir, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: "throw-away",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    HCLOUD_TOKEN: "x".repeat(64),
    HCLOUD_ENDPOINT: `http://127.0.0.1:${closedPort}/v1`,
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    NO_PROXY: "",
    NO_COLOR: "1",
    ...env,
  };
  const run = (args, moreEnv = {}) => pulumi(args, dir, { ...fullEnv, ...moreEnv });
  await run(["stack", "init", "dev", "--non-interactive"]);
  return {
    dir,
    env: fullEnv,
    outside,
    run,
    async close() {
      await new Promise((done) => trap.close(done));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Runs pulumi; returns stdout. Throws with all of its output where it fails or takes more than two minutes. */
function pulumi(args, cwd, env) {
  return new Promise((done, failed) => {
    const child = spawn("pulumi", args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], timeout: 120_000 });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("error", failed);
    child.on("close", (code, signal) => {
      if (code === 0) done(stdout);
      else failed(new Error(`pulumi ${args.join(" ")} ended with ${signal ?? code}:\n${stdout}\n${stderr}`));
    });
  });
}

/** A TCP port of the loopback address that nobody listens on just now. */
export async function freePort() {
  const server = createTcpServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}
