/** Runs a composite action as a GitHub runner would: its steps as they are written, with what the runner sets. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";

const inputSchema = z.strictObject({
  description: z.string(),
  required: z.boolean().default(false),
  default: z.string().optional(),
});
const stepSchema = z.strictObject({
  id: z.string().optional(),
  name: z.string().optional(),
  shell: z.literal("bash"),
  env: z.record(z.string(), z.string()).default({}),
  run: z.string(),
});
const actionSchema = z.strictObject({
  name: z.string(),
  description: z.string(),
  inputs: z.record(z.string(), inputSchema),
  outputs: z.record(z.string(), z.strictObject({ description: z.string(), value: z.string() })).default({}),
  runs: z.strictObject({ using: z.literal("composite"), steps: z.array(stepSchema).min(1) }),
});
export type Action = z.infer<typeof actionSchema>;

export function readAction(directory: string): Action {
  return actionSchema.parse(parse(readFileSync(join(directory, "action.yml"), "utf8")));
}

export interface ActionRun {
  code: number;
  stdout: string;
  stderr: string;
  outputs: Record<string, string>;
}

/**
 * @param directory Where action.yml is.
 * @param inputs What a workflow's `with` gives; one that the action does not know is an error here.
 * @param env What the runner sets in every step beside its files.
 * @param temp Where files of the run go.
 */
export async function runAction(
  directory: string,
  inputs: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
  temp: string,
): Promise<ActionRun> {
  const action = readAction(directory);
  const unknown = Object.keys(inputs).filter((name) => !Object.hasOwn(action.inputs, name));
  if (unknown.length > 0) throw new Error(`the action has no input ${unknown.join(", ")}`);
  const context = new Map([
    ["github.action_path", directory.replace(/\/$/, "")],
    ["github.token", env.GITHUB_TOKEN ?? ""],
  ]);
  for (const [name, { default: fallback, required }] of Object.entries(action.inputs)) {
    const value = inputs[name] ?? (fallback === undefined ? undefined : expand(fallback, context));
    if (value === undefined && required) throw new Error(`the input ${name} is required`);
    context.set(`inputs.${name}`, value ?? "");
  }
  const run: ActionRun = { code: 0, stdout: "", stderr: "", outputs: {} };
  for (const step of action.runs.steps) {
    // The runner stops at the first step that fails.
    if (run.code !== 0) break;
    const files = mkdtempSync(join(temp, "step-"));
    const script = join(files, "script.sh");
    const output = join(files, "output");
    writeFileSync(script, expand(step.run, context));
    writeFileSync(output, "");
    const own = Object.fromEntries(Object.entries(step.env).map(([name, value]) => [name, expand(value, context)]));
    // The token is no variable of a step unless the step says so.
    const { GITHUB_TOKEN: _, ...given } = env;
    const child = spawn("bash", ["--noprofile", "--norc", "-e", "-o", "pipefail", script], {
      cwd: temp,
      env: { ...given, GITHUB_ACTIONS: "true", GITHUB_OUTPUT: output, RUNNER_TEMP: temp, ...own },
    });
    child.stdout.on("data", (data) => (run.stdout += data));
    child.stderr.on("data", (data) => (run.stderr += data));
    run.code = await new Promise<number>((done) => child.on("close", (code) => done(code ?? 1)));
    for (const line of readFileSync(output, "utf8").split("\n")) {
      const [, name, value] = /^([\w-]+)=(.*)$/.exec(line) ?? [];
      if (step.id !== undefined && name !== undefined) context.set(`steps.${step.id}.outputs.${name}`, value ?? "");
    }
  }
  for (const [name, { value }] of Object.entries(action.outputs)) run.outputs[name] = expand(value, context);
  return run;
}

/** Only plain names in expressions; an unknown one is an error, where GitHub would put nothing. */
function expand(text: string, context: ReadonlyMap<string, string>): string {
  return text.replace(/\$\{\{\s*(.*?)\s*\}\}/g, (_all, name: string) => {
    const value = context.get(name);
    if (value === undefined) throw new Error(`nothing is known of \${{ ${name} }}`);
    return value;
  });
}
