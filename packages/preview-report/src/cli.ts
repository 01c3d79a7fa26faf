/** The command line: the only part that reads files, the environment and the clock, and that writes. */
import { createReadStream } from "node:fs";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Listening } from "./exposure/adopted.js";
import { ListeningError, listeningRules } from "./exposure/listening.js";
import type { Rule } from "./exposure/rules.js";
import { EXIT, EXIT_MEANINGS, evaluateGates, GATES, type GateName, isGateName } from "./gates/gates.js";
import { isDate, parseWaivers, WaiverFileError } from "./gates/waivers.js";
import { commentRoom, GitHubError, upsertComment } from "./github/comment.js";
import { targetFromEnvironment } from "./github/environment.js";
import { reportOf } from "./preview.js";
import { renderMarkdown } from "./render/markdown.js";
import { gateLines, renderText } from "./render/text.js";

interface Options {
  format: "markdown" | "json" | "text";
  maxChars: number;
  failOn: GateName[];
  waivers?: string;
  today?: string;
  output?: string;
  redactEnv: string[];
  listening: string[];
  githubComment?: boolean;
  commentAuthor: string;
  commentKey?: string;
}

/** Variables whose values never appear in a report, set by the usual tools. */
const SECRET_VARIABLES = [
  "HCLOUD_TOKEN",
  "PULUMI_ACCESS_TOKEN",
  "PULUMI_CONFIG_PASSPHRASE",
  "GITHUB_TOKEN",
  "GH_TOKEN",
  "INPUT_TOKEN",
];

class UsageError extends Error {}

/** Runs the command line. Resolves to the exit code; prints its own errors. */
export async function main(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const program = command();
  program.exitOverride().configureOutput({ outputError: (text, write) => write(text) });
  let code: number = EXIT.internal;
  program.action(async (input: string | undefined) => {
    code = await run(input ?? "-", program.opts<Options>(), env);
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return code;
  } catch (error) {
    if (isCommanderError(error)) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(`preview-report: ${text}\n`);
    if (error instanceof WaiverFileError) return EXIT.waivers;
    if (error instanceof UsageError) return EXIT.usage;
    return EXIT.internal;
  }
}

function command(): Command {
  const codes = [
    ...EXIT_MEANINGS.map(([code, meaning]) => [code, meaning] as const),
    ...GATES.map(([name, code, meaning]) => [code, `${name}: ${meaning}`] as const),
  ].map(([code, meaning]) => `  ${String(code).padEnd(4)}${meaning}\n`);
  return new Command("preview-report")
    .description("Turns a Pulumi preview into a report: danger, exposure, trust.")
    .argument("[input]", "file with engine events or `preview --json`; - for standard input", "-")
    .addOption(
      new Option("-f, --format <format>", "what to print").choices(["markdown", "json", "text"]).default("text"),
    )
    .option("--max-chars <number>", "most characters of Markdown; 0 for no limit", wholeNumber, 60_000)
    .option("--fail-on <gates>", "gates that stop, separated by commas, or `all`", gateNames, [])
    .option("--waivers <file>", "YAML file of waivers")
    .option("--today <date>", "the day (YYYY-MM-DD) that waivers are judged by; default: today in UTC", day)
    .option("-o, --output <file>", "write the report there instead of to standard output")
    .option("--redact-env <name>", "an environment variable whose value is a secret; may be repeated", collect, [])
    .option(
      "--listening <node=file>",
      "what `ss -Htuln` prints on a host that is adopted, which tells what will close; may be repeated",
      collect,
      [],
    )
    .option(
      "--github-comment",
      "also write the report as the stack's comment on the pull request (needs GITHUB_* and a token)",
    )
    .option("--comment-author <login>", "whose comment may be updated", "github-actions[bot]")
    .option("--comment-key <text>", "what there is one comment for; default: project and stack")
    .addHelpText(
      "after",
      `\nExit codes:\n${codes.join("")}Gates (10 and up) need --fail-on. Where several fire, the first in this list gives the code; all are printed.`,
    );
}

async function run(input: string, options: Options, env: NodeJS.ProcessEnv): Promise<number> {
  const waivers =
    options.waivers === undefined
      ? []
      : parseWaivers(
          await text(options.waivers),
          GATES.map(([name]) => name),
        );
  const secrets = [...SECRET_VARIABLES, ...options.redactEnv]
    .map((name) => env[name] ?? "")
    .filter((value) => value.length >= 4);
  const listening = await listeningOf(options.listening);
  const { report, status } = await reportOf(input === "-" ? process.stdin : open(input), { secrets, listening });
  const today = options.today ?? new Date().toISOString().slice(0, 10);
  const gates = evaluateGates(report, options.failOn, waivers, today);
  const shownGates = options.failOn.length > 0 || waivers.length > 0 ? gates : undefined;
  const markdown = () => renderMarkdown(report, { maxChars: options.maxChars, gates: shownGates });
  const printed =
    options.format === "markdown"
      ? markdown()
      : options.format === "json"
        ? `${JSON.stringify({ ...report, gates: shownGates ?? null, exitCode: gates.exitCode }, null, 2)}\n`
        : renderText(report, shownGates);
  if (options.output === undefined) process.stdout.write(printed);
  else await writeFile(options.output, printed);
  for (const problem of status.problems) process.stderr.write(`preview-report: ${problem}\n`);
  for (const line of gateLines(shownGates)) process.stderr.write(`preview-report: ${line}\n`);
  if (!options.githubComment) return gates.exitCode;
  const key = options.commentKey ?? `${report.project}/${report.stack}`;
  const room = commentRoom(key);
  const maxChars = options.maxChars === 0 ? room : Math.min(options.maxChars, room);
  const written = await comment(renderMarkdown(report, { maxChars, gates: shownGates }), key, options, env);
  return gates.exitCode === EXIT.ok && !written ? EXIT.comment : gates.exitCode;
}

async function listeningOf(pairs: readonly string[]): Promise<Listening> {
  const entries = pairs.map(async (pair): Promise<[string, Rule[]]> => {
    const [, node, file] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
    if (node === undefined || file === undefined) throw new UsageError("--listening takes NODE=FILE");
    try {
      return [node, listeningRules(await text(file))];
    } catch (error) {
      if (error instanceof ListeningError) throw new UsageError(`${file}: ${error.message}`);
      throw error;
    }
  });
  return new Map(await Promise.all(entries));
}

/**
 * False where the comment should have been written and was not. A pull request from a fork gets a token that may not comment: that is
 * no failure, the job's summary then has the report.
 */
async function comment(markdown: string, key: string, options: Options, env: NodeJS.ProcessEnv): Promise<boolean> {
  const say = (text: string, command = "") => {
    // GitHub shows such a line beside the job, where somebody sees it.
    const shown = command !== "" && env.GITHUB_ACTIONS === "true" ? `::${command}::preview-report: ${text}` : "";
    process.stderr.write(shown === "" ? `preview-report: ${text}\n` : `${shown}\n`);
  };
  if (env.GITHUB_STEP_SUMMARY) await appendFile(env.GITHUB_STEP_SUMMARY, `${markdown}\n`);
  const target = await targetFromEnvironment(env, options.commentAuthor, text);
  if (!target) {
    say("not a pull request, or no token: no comment written");
    return true;
  }
  try {
    const { action, url } = await upsertComment(target, key, markdown);
    say(`comment ${action} ${url.replace(/[^\x20-\x7e]/g, "")}`);
    return true;
  } catch (error) {
    if (error instanceof GitHubError && [401, 403, 404].includes(error.status)) {
      say(`no comment written: ${error.message}`, "warning");
      return true;
    }
    // Not what a library says: it may quote an answer.
    const why = error instanceof GitHubError ? error.message : `GitHub could not be reached (${codeOf(error)})`;
    say(`no comment written: ${why}`, "error");
    return false;
  }
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${codeOf(error)}`);
  }
}

async function* open(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${codeOf(error)}`);
  }
}

function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException };
  const known = [code, cause?.code].find((it) => typeof it === "string");
  return known ?? (error instanceof Error ? error.name : "unknown error");
}

function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError("A whole number is needed.");
  return Number(value);
}

function day(value: string): string {
  if (!isDate(value)) throw new InvalidArgumentError("A date of the form YYYY-MM-DD is needed.");
  return value;
}

function gateNames(value: string, before: GateName[]): GateName[] {
  if (value.trim() === "all") return GATES.map(([name]) => name);
  const names = value.split(/[\s,]+/).filter(Boolean);
  const wrong = names.find((name) => !isGateName(name));
  if (wrong !== undefined) {
    throw new InvalidArgumentError(
      `There is no gate ${JSON.stringify(wrong)}. Gates: ${GATES.map(([name]) => name).join(", ")}.`,
    );
  }
  return [...new Set([...before, ...names.filter(isGateName)])];
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function isCommanderError(error: unknown): error is { exitCode: number } {
  return error instanceof Error && "code" in error && String(error.code).startsWith("commander.");
}
