/** Where to comment, from what a GitHub workflow sets. */
import * as z from "zod";
import type { CommentTarget } from "./comment.js";

const eventSchema = z.object({
  pull_request: z.object({ number: z.number() }).optional(),
  number: z.number().optional(),
  issue: z.object({ number: z.number(), pull_request: z.unknown() }).optional(),
});

/** Undefined outside a pull request or without a token. @param read Reads the event's file. */
export async function targetFromEnvironment(
  env: NodeJS.ProcessEnv,
  author: string,
  read: (path: string) => Promise<string>,
): Promise<CommentTarget | undefined> {
  const token = env.GITHUB_TOKEN || env.GH_TOKEN;
  const repository = env.GITHUB_REPOSITORY;
  if (!token || !repository || !/^[\w.-]+\/[\w.-]+$/.test(repository)) return undefined;
  const number = await numberOf(env, read);
  if (number === undefined) return undefined;
  return { apiUrl: env.GITHUB_API_URL || "https://api.github.com", repository, number, token, author };
}

async function numberOf(env: NodeJS.ProcessEnv, read: (path: string) => Promise<string>): Promise<number | undefined> {
  if (env.PREVIEW_REPORT_PULL_REQUEST) return Number.parseInt(env.PREVIEW_REPORT_PULL_REQUEST, 10) || undefined;
  if (!env.GITHUB_EVENT_PATH) return undefined;
  const event = eventSchema.safeParse(JSON.parse(await read(env.GITHUB_EVENT_PATH)));
  if (!event.success) return undefined;
  const { pull_request: pull, issue } = event.data;
  return pull?.number ?? (issue?.pull_request ? issue.number : undefined);
}
