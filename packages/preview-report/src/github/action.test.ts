import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { bundle, bundlePath, bundleRules, rulesPath } from "../../testing/bundle.mjs";
import { stepEvent, summary } from "../testing/events.js";
import { markerOf } from "./comment.js";

/** A stand-in for GitHub's comments API: pages of 100 with Link headers, and what was asked of it. */
interface Stored {
  id: number;
  body: string;
  user: { login: string };
}

const action = fileURLToPath(new URL("../../../../.github/actions/preview-report/", import.meta.url));
const BOT = "github-actions[bot]";
let directory: string;
let server: Server;
let comments: Stored[];
let requests: string[];
let refuse = false;

async function bodyOf(request: IncomingMessage): Promise<{ body: string }> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "preview-report-"));
  comments = [];
  requests = [];
  refuse = false;
  server = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const url = new URL(request.url ?? "", origin());
    const reply = (status: number, value: unknown, headers = {}) =>
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
    if (refuse || request.headers.authorization !== "Bearer test-token") return reply(403, { message: "no" });
    const list = "/repos/o/r/issues/7/comments";
    if (request.method === "GET" && url.pathname === list) {
      const page = Number(url.searchParams.get("page") ?? 1);
      const next =
        page * 100 < comments.length ? { link: `<${origin()}${list}?per_page=100&page=${page + 1}>; rel="next"` } : {};
      return reply(200, comments.slice((page - 1) * 100, page * 100), next);
    }
    if (request.method === "POST" && url.pathname === list) {
      const made = { id: 1000 + comments.length, body: (await bodyOf(request)).body, user: { login: BOT } };
      comments.push(made);
      return reply(201, { ...made, html_url: "http://x/1" });
    }
    const one = comments.find((it) => url.pathname === `/repos/o/r/issues/comments/${it.id}`);
    if (request.method !== "PATCH" || !one) return reply(404, {});
    one.body = (await bodyOf(request)).body;
    return reply(200, one);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});

afterEach(async () => {
  await new Promise((done) => server.close(done));
  rmSync(directory, { recursive: true, force: true });
});

const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Runs the action's own step as a runner would. */
async function run(op: string, env: Record<string, string> = {}): Promise<{ code: number | null; stderr: string }> {
  const side = { id: "7", inputs: { firewallIds: [9] } };
  const step = stepEvent({
    op,
    type: "hcloud:index/server:Server",
    name: "web",
    old: side,
    ...(op === "delete" ? {} : { new: side }),
  });
  const log = [step, ...summary()].map((event) => JSON.stringify(event)).join("\n");
  writeFileSync(join(directory, "events.json"), `${log}\n`);
  writeFileSync(join(directory, "event.json"), JSON.stringify({ pull_request: { number: 7 } }));
  const child = spawn("bash", [join(action, "run.sh")], {
    env: {
      PATH: process.env.PATH ?? "",
      ACTION_PATH: action,
      INPUT_FILE: join(directory, "events.json"),
      RUNNER_TEMP: directory,
      GITHUB_API_URL: origin(),
      GITHUB_REPOSITORY: "o/r",
      GITHUB_EVENT_PATH: join(directory, "event.json"),
      GITHUB_STEP_SUMMARY: join(directory, "summary.md"),
      GITHUB_TOKEN: "test-token",
      ...env,
    },
  });
  let stderr = "";
  child.stderr.on("data", (data) => (stderr += data));
  const code = await new Promise<number | null>((done) => child.on("close", done));
  return { code, stderr };
}

it("has fresh bundles", async () => {
  expect(
    readFileSync(rulesPath, "utf8") === (await bundleRules()),
    "run: pnpm --filter @hcloud-swarm/preview-report bundle",
  ).toBe(true);
  expect(
    readFileSync(bundlePath, "utf8") === (await bundle()),
    "run: pnpm --filter @hcloud-swarm/preview-report bundle",
  ).toBe(true);
}, 240_000);

it("comments once, then updates its comment on page two of a long thread", async () => {
  comments = Array.from({ length: 130 }, (_, index) => ({ id: index + 1, body: "words", user: { login: "someone" } }));
  const planted = { id: 500, body: `${markerOf("shop/dev")}\nnot ours`, user: { login: "mallory" } };
  comments.unshift(planted);
  expect(await run("update")).toMatchObject({ code: 0 });
  expect(comments).toHaveLength(132);
  expect(comments[131]?.body.split("\n")[0]).toBe(markerOf("shop/dev"));
  expect(await run("delete")).toMatchObject({ code: 0 });
  expect(comments).toHaveLength(132);
  expect(comments[131]?.body).toContain("Dangerous changes");
  expect(planted.body).toContain("not ours");
  expect(requests.filter((it) => it.includes("page=2"))).toHaveLength(2);
  expect(requests.at(-1)).toMatch(/^PATCH/);
}, 240_000);

it("stops at a gate after commenting, passes with a waiver, and bears a token that may not comment", async () => {
  expect(await run("delete", { INPUT_FAIL_ON: "delete-server" })).toMatchObject({ code: 10 });
  expect(comments).toHaveLength(1);
  const waivers = join(directory, "waivers.yaml");
  writeFileSync(
    waivers,
    'waivers:\n  - gate: delete-server\n    resource: web\n    reason: moved away\n    expires: "2999-01-01"\n',
  );
  expect(await run("delete", { INPUT_FAIL_ON: "delete-server", INPUT_WAIVERS: waivers })).toMatchObject({ code: 0 });
  refuse = true;
  const { code, stderr } = await run("update");
  expect(code).toBe(0);
  expect(stderr).toContain("no comment written");
  expect(readFileSync(join(directory, "summary.md"), "utf8")).toContain("Preview of");
}, 240_000);
