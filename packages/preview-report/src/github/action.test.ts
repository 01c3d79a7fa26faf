import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parse } from "yaml";
import { bundle, bundlePath, bundleRules, rulesPath } from "../../testing/bundle.mjs";
import { GATES } from "../gates/gates.js";
import { type ActionRun, readAction, runAction } from "../testing/compositeAction.js";
import { stepEvent, summary } from "../testing/events.js";
import { BOT, FakeGitHub } from "../testing/github.js";
import { MAX_COMMENT, markerOf } from "./comment.js";

const action = fileURLToPath(new URL("../../../../.github/actions/preview-report/", import.meta.url));
const example = fileURLToPath(new URL("../../../../examples/pull-request/", import.meta.url));
let directory: string;
let github: FakeGitHub;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "preview-report-"));
  github = new FakeGitHub();
  await github.start();
});
afterEach(async () => {
  await github.stop();
  rmSync(directory, { recursive: true, force: true });
});

const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const read = (name: string) => readFileSync(join(directory, name), "utf8");

interface Job {
  op?: string;
  inputs?: Record<string, string>;
  env?: Record<string, string>;
  names?: string[];
  stack?: string;
}

/** Runs the action for a preview in which the op happens to servers. */
async function run({ op = "update", inputs = {}, env = {}, names = ["web"], stack = "dev" }: Job): Promise<ActionRun> {
  const side = { id: "7", inputs: { firewallIds: [9] } };
  const steps = names.map((name) =>
    stepEvent({
      op,
      type: "hcloud:index/server:Server",
      name,
      old: side,
      ...(op === "delete" ? {} : { new: side }),
    }),
  );
  const log = [...steps, ...summary()].map((event) => `${JSON.stringify(event)}\n`).join("");
  const input = file("preview.json", log.replaceAll("urn:pulumi:dev::", `urn:pulumi:${stack}::`));
  return runAction(
    action,
    { input, ...inputs },
    {
      PATH: process.env.PATH ?? "",
      HOME: directory,
      GITHUB_API_URL: github.origin,
      GITHUB_REPOSITORY: "o/r",
      GITHUB_EVENT_NAME: "pull_request",
      GITHUB_EVENT_PATH: file("event.json", JSON.stringify({ action: "synchronize", pull_request: { number: 7 } })),
      GITHUB_STEP_SUMMARY: file("summary.md", ""),
      GITHUB_TOKEN: "test-token",
      ...env,
    },
    directory,
  );
}

it("has fresh bundles", async () => {
  const stale = "run: pnpm --filter @hcloud-swarm/preview-report bundle";
  expect(readFileSync(rulesPath, "utf8") === (await bundleRules()), stale).toBe(true);
  expect(readFileSync(bundlePath, "utf8") === (await bundle()), stale).toBe(true);
});

it("comments once a stack, then updates its comment on page two of a long thread", async () => {
  const planted = github.add("mallory", `${markerOf("shop/dev")}\nnot ours`);
  const quoting = github.add(BOT, `As it said:\n${markerOf("shop/dev")}\nanother tool of the same account`);
  for (let index = 0; index < 130; index++) github.add("someone", "words");
  expect(await run({})).toMatchObject({ code: 0 });
  expect(await run({ stack: "prod" })).toMatchObject({ code: 0 });
  expect(github.comments).toHaveLength(134);
  const [dev, prod] = github.comments.slice(132);
  expect([dev?.body.split("\n")[0], prod?.body.split("\n")[0]]).toEqual(["shop/dev", "shop/prod"].map(markerOf));
  const before = prod?.body;
  for (let index = 0; index < 100; index++) github.add("someone", "more words");
  const { code, stderr } = await run({ op: "delete" });
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("comment updated") });
  expect(github.comments).toHaveLength(234);
  expect(dev?.body).toContain("Dangerous changes");
  expect(dev?.body.split("\n")[0]).toBe(markerOf("shop/dev"));
  expect(prod?.body).toBe(before);
  expect([planted.body.split("\n")[1], quoting.body.split("\n")[2]]).toEqual([
    "not ours",
    "another tool of the same account",
  ]);
  // It looks no further than it must, and asks for whole pages.
  expect(github.requests.slice(-3)).toEqual([
    "GET /repos/o/r/issues/7/comments?per_page=100",
    "GET /repositories/1296269/issues/7/comments?per_page=100&page=2",
    `PATCH /repos/o/r/issues/comments/${dev?.id}`,
  ]);
  expect(await run({ op: "delete" })).toMatchObject({ code: 0, stderr: expect.stringContaining("comment unchanged") });
  expect(github.requests.filter((it) => it.startsWith("POST"))).toHaveLength(2);
}, 60_000);

it("keeps within GitHub's size, with the verdict first and danger whole, whatever max-chars says", async () => {
  const names = Array.from({ length: 3000 }, (_, index) => `server-with-quite-a-long-name-${index}`);
  for (const max of ["0", "9000000", "60000"]) {
    expect(await run({ op: "delete", names, inputs: { "max-chars": max } })).toMatchObject({ code: 0 });
    const body = github.comments[0]?.body ?? "";
    expect(body.length).toBeLessThanOrEqual(max === "60000" ? 60_200 : MAX_COMMENT);
    expect(body.length).toBeGreaterThan(10_000);
    const lines = body.split("\n");
    expect(lines[1]).toBe("Preview of `dev` in `shop`");
    expect(body.indexOf("Dangerous changes")).toBeLessThan(1000);
    expect(body).toContain("Cut to fit");
  }
  expect(github.comments).toHaveLength(1);
}, 60_000);

it("gives its report as an output, hands on each of its inputs, and stops at a gate after commenting", async () => {
  const inputs = {
    "fail-on": "delete-server",
    "comment-key": "of this job",
    "comment-author": "a-robot",
    "max-chars": "5000",
  };
  github.login = "a-robot";
  const { code, outputs, stdout } = await run({ op: "delete", inputs });
  expect(code).toBe(10);
  expect(readFileSync(outputs.report ?? "", "utf8")).toContain("delete-server");
  expect(stdout).toBe("");
  expect(github.comments.map((it) => it.body.split("\n")[0])).toEqual([markerOf("of this job")]);
  expect(read("summary.md")).toContain("Dangerous changes");
  const waivers = file(
    "waivers.yaml",
    'waivers:\n  - {gate: delete-server, resource: web, reason: moved away, expires: "2999-01-01"}\n',
  );
  expect(await run({ op: "delete", inputs: { ...inputs, waivers } })).toMatchObject({ code: 0 });
  expect(github.comments[0]?.body).toContain("moved away");
  expect(github.comments).toHaveLength(1);
  github.token = "another";
  expect(await run({ op: "delete", inputs: { ...inputs, token: "another" } })).toMatchObject({ code: 10 });
  const asked = github.requests.length;
  expect(await run({ op: "delete", inputs: { ...inputs, comment: "false" } })).toMatchObject({ code: 10 });
  expect(github.requests).toHaveLength(asked);
}, 60_000);

it("is not fooled by names: neither a file's name nor an input becomes a command", async () => {
  const bad = "$(touch pwned) `touch pwned`; touch pwned #' \"";
  const { code, stderr } = await run({
    inputs: { input: join(directory, bad), "comment-key": bad, "comment-author": bad },
  });
  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot read") });
  expect(await run({ inputs: { "comment-key": bad } })).toMatchObject({ code: 0 });
  expect(() => read("pwned")).toThrow();
});

it("bears a token that may not comment, and says so beside the job", async () => {
  const refusals: [string, Job, RegExp][] = [
    [
      "a fork's",
      {},
      /^::warning::preview-report: no comment written: GitHub answered 403 to POST .*: the token may not do this; it needs `pull-requests: write`/m,
    ],
    ["a wrong one", { env: { GITHUB_TOKEN: "wrong" } }, /answered 401 .*: the token is not valid/],
    [
      "of another repository",
      { env: { GITHUB_REPOSITORY: "o/other" } },
      /answered 404 .*: there is no such repository or pull request/,
    ],
    ["none", { inputs: { token: "" } }, /no token: no comment written/],
  ];
  github.mayWrite = false;
  for (const [name, job, message] of refusals) {
    const { code, stderr } = await run(job);
    expect([name, code]).toEqual([name, 0]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("test-token");
    expect(read("summary.md")).toContain("Preview of");
  }
  // The gates hold all the same.
  expect(await run({ op: "delete", inputs: { "fail-on": "all" } })).toMatchObject({ code: 10 });
  expect(github.comments).toEqual([]);
}, 60_000);

it("waits as long as GitHub asks where there were too many requests, and tries again where it failed", async () => {
  github.faults = [
    { status: 429, headers: { "retry-after": "1" } },
    { status: 403, headers: { "retry-after": "1", "x-ratelimit-remaining": "12" } },
    { status: 502 },
    { status: 403, method: "POST", headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1" } },
  ];
  const started = Date.now();
  expect(await run({})).toMatchObject({ code: 0, stderr: expect.stringContaining("comment created") });
  expect(Date.now() - started).toBeGreaterThan(3900);
  expect(github.faults).toEqual([]);
  expect(github.comments).toHaveLength(1);
}, 60_000);

it("makes no second comment where the answer to the first was lost", async () => {
  github.faults = [{ status: 504, lost: true }];
  expect(await run({})).toMatchObject({ code: 0 });
  expect(github.comments).toHaveLength(1);
  expect(github.requests.filter((it) => it.startsWith("POST"))).toHaveLength(1);
}, 60_000);

it("gives up with a code of its own and a clear message, after the gates'", async () => {
  const hour = { status: 403, headers: { "retry-after": "3600" } };
  github.faults = [hour];
  const limited = await run({});
  expect(limited.code).toBe(6);
  expect(limited.stderr).toMatch(/^::error::.*answered 429 to GET .*too many requests; it asks to wait for 3600 s/m);
  github.faults = [hour];
  expect(await run({ op: "delete", inputs: { "fail-on": "all" } })).toMatchObject({ code: 10 });
  github.faults = [{ status: 422, method: "POST" }];
  expect(await run({})).toMatchObject({ code: 6, stderr: expect.stringContaining("the comment was refused") });
  github.faults = [{ status: 200 }];
  expect(await run({})).toMatchObject({
    code: 6,
    stderr: expect.stringContaining("the answer is no list of comments"),
  });
  const gone = await run({ env: { GITHUB_API_URL: "http://127.0.0.1:9" } });
  expect(gone).toMatchObject({ code: 6, stderr: expect.stringMatching(/could not be reached \(\w+\)/) });
  for (const { stderr } of [limited, gone]) expect(stderr).not.toMatch(/test-token|<html>/);
  expect(github.comments).toEqual([]);
}, 60_000);

it("gives up on a server that fails on and on", async () => {
  github.faults = Array.from({ length: 9 }, () => ({ status: 503 }));
  const { code, stderr } = await run({});
  expect({ code, stderr }).toMatchObject({ code: 6, stderr: expect.stringContaining("answered 503") });
  expect(github.requests.length).toBe(4);
}, 60_000);

it("does nothing on GitHub outside a pull request", async () => {
  const event = file("push.json", JSON.stringify({ ref: "refs/heads/main" }));
  expect(await run({ env: { GITHUB_EVENT_PATH: event } })).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("not a pull request"),
  });
  expect(github.requests).toEqual([]);
});

it("has a workflow that gives the action what it takes", () => {
  const workflow = parse(readFileSync(join(example, "preview.yml"), "utf8"));
  const steps: { uses?: string; with?: Record<string, string>; run?: string }[] = workflow.jobs.preview.steps;
  const uses = steps.filter((it) => it.uses?.includes(".github/actions/preview-report@"));
  expect(uses).toHaveLength(1);
  const { inputs } = readAction(action);
  const given = Object.keys(uses[0]?.with ?? {});
  expect(given.filter((it) => !Object.hasOwn(inputs, it))).toEqual([]);
  expect(given).toEqual(
    expect.arrayContaining(Object.entries(inputs).flatMap(([name, it]) => (it.required ? [name] : []))),
  );
  const gates: string[] = GATES.map(([name]) => name);
  expect(uses[0]?.with?.["fail-on"]?.split(",").filter((it) => !gates.includes(it))).toEqual([]);
  expect(workflow.permissions).toEqual({ contents: "read", "pull-requests": "write" });
  expect(workflow.on).toBe("pull_request");
  // What comes from outside reaches scripts through variables only.
  for (const { run: script } of steps) expect(script ?? "").not.toContain("${{");
});
