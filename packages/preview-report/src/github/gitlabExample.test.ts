import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { bundlePath } from "../../testing/bundle.mjs";
import { stepEvent, summary } from "../testing/events.js";

const example = fileURLToPath(new URL("../../../../examples/pull-request/", import.meta.url));

/** The keywords that the example uses, as GitLab's reference has them. Strict: a misspelt one is an error here, as it is there. */
const jobSchema = z.strictObject({
  image: z.strictObject({ name: z.string(), entrypoint: z.array(z.string()) }),
  rules: z.array(z.strictObject({ if: z.string() })),
  parallel: z.strictObject({ matrix: z.array(z.record(z.string(), z.array(z.string()))) }),
  variables: z.record(z.string(), z.string()),
  script: z.array(z.string()),
  artifacts: z.strictObject({
    when: z.enum(["on_success", "on_failure", "always"]),
    expose_as: z.string().regex(/^[A-Za-z0-9 _-]{1,100}$/),
    // GitLab shows no link where a path has a wildcard.
    paths: z.array(z.string().regex(/^[^*]+$/)),
    expire_in: z.string(),
  }),
});
const job = z
  .strictObject({ preview: jobSchema })
  .parse(parse(readFileSync(join(example, ".gitlab-ci.yml"), "utf8"))).preview;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gitlab-example-"));
  mkdirSync(join(directory, "bin"));
  copyFileSync(join(example, "preview-waivers.yaml"), join(directory, "preview-waivers.yaml"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** The job's script as GitLab's runner runs it, with stand-ins for the programs that it calls. */
function run(stack: string, op: string, pulumiExit = 0) {
  const side = { id: "7", inputs: { firewallIds: [9] } };
  const server = { op, type: "hcloud:index/server:Server", name: "web", old: side };
  const events = [stepEvent(op === "delete" ? server : { ...server, new: side }), ...summary()];
  writeFileSync(join(directory, "events"), events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  const programs = {
    npm: '[ "$*" = "ci --ignore-scripts" ]',
    pulumi: `[ "$*" = "preview --json --stack dev" ] && [ "$PULUMI_ENABLE_STREAMING_JSON_PREVIEW" = 1 ] && cat events && exit ${pulumiExit}`,
    npx: `[ "$1 $2" = "--no-install preview-report" ] && shift 2 && exec node ${JSON.stringify(bundlePath)} "$@"`,
  };
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(join(directory, "bin", name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(directory, "bin", name), 0o755);
  }
  const env = { ...job.variables, STACK: stack, PATH: `${join(directory, "bin")}:${process.env.PATH}` };
  return spawnSync("bash", ["-e", "-o", "pipefail", "-c", job.script.join("\n")], {
    cwd: directory,
    env,
    encoding: "utf8",
  });
}

it("writes the report that it exposes, and stops at its gates", () => {
  expect(job.parallel.matrix.flatMap((it) => it.STACK ?? [])).toContain("dev");
  expect(run("dev", "update")).toMatchObject({ status: 0, stdout: "" });
  const [path = ""] = job.artifacts.paths;
  expect(readFileSync(join(directory, path), "utf8")).toContain("Preview of `dev`");
  expect(run("dev", "delete").status).toBe(10);
  expect(readFileSync(join(directory, path), "utf8")).toContain("Dangerous changes");
});

it("fails where the preview fails, and where there is none", () => {
  expect(run("dev", "update", 255).status).toBe(255);
  expect(run("a stack that pulumi does not know", "update").status).not.toBe(0);
});
