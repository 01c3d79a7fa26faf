/** One comment for each stack on a pull request: found again by a hidden marker, on whichever page, and updated. */
import { createHash } from "node:crypto";
import * as z from "zod";

export interface CommentTarget {
  /** `https://api.github.com`, or what GITHUB_API_URL says. */
  apiUrl: string;
  /** `owner/name`. */
  repository: string;
  /** Number of the pull request. */
  number: number;
  token: string;
  /** Login whose comments may be updated. Anybody can write the marker; only this account's count. */
  author: string;
}

export interface CommentResult {
  action: "created" | "updated" | "unchanged";
  url: string;
}

/** A failure of GitHub's API. The message holds neither the token nor the answer's text. */
export class GitHubError extends Error {
  override readonly name = "GitHubError";
  constructor(
    readonly status: number,
    what: string,
    why = MEANING[status] ?? "",
  ) {
    super(`GitHub answered ${status} to ${what}${why === "" ? "" : `: ${why}`}`);
  }
}

/** What an answer means here, for whoever reads the job's log. */
const MEANING: Readonly<Record<number, string>> = {
  401: "the token is not valid",
  403: "the token may not do this; it needs `pull-requests: write`, which the token of a fork's pull request never gets",
  404: "there is no such repository or pull request, or the token may not see it",
  422: "the comment was refused",
};

/** GitHub's own limit of a comment, in characters. */
export const MAX_COMMENT = 65_536;

const commentSchema = z.object({
  id: z.number(),
  body: z.string().nullish(),
  html_url: z.string().catch(""),
  user: z.object({ login: z.string() }).nullish(),
});
type Comment = z.infer<typeof commentSchema>;

/** Pages of 100 comments that are looked through; a thread beyond gets a new comment. */
const MAX_PAGES = 100;

/** The comment's first line. The key is hashed, so that no name of a stack can close the HTML comment. */
export function markerOf(key: string): string {
  return `<!-- hcloud-swarm preview-report ${createHash("sha256").update(key).digest("hex").slice(0, 32)} -->`;
}

/** How the API is called; a test has its own. */
export interface Calls {
  request: typeof fetch;
  /** Waits, in milliseconds. */
  sleep: (time: number) => Promise<void>;
}
const CALLS: Calls = { request: fetch, sleep: (time) => new Promise((done) => setTimeout(done, time)) };

/** Tries of one call, and the longest that one waits for the next, in seconds: a job that waits costs money. */
const TRIES = 4;
const LONGEST_WAIT = 60;

/** Room for the report under the marker's line. */
export function commentRoom(key: string): number {
  return MAX_COMMENT - markerOf(key).length - 1;
}

/**
 * Writes the comment, or rewrites the one that is there. What is only for now (5xx, rate limits) is tried again for a while.
 * @param key What there is one comment for; usually `project/stack`.
 * @param markdown At most `commentRoom` characters.
 * @throws GitHubError when the API refuses; TypeError when it cannot be reached.
 */
export async function upsertComment(
  target: CommentTarget,
  key: string,
  markdown: string,
  calls: Calls = CALLS,
): Promise<CommentResult> {
  const marker = markerOf(key);
  const body = `${marker}\n${markdown}`;
  for (let attempt = 1; ; attempt++) {
    try {
      return await writeOnce(target, marker, body, calls);
    } catch (error) {
      // A comment may have been made although its answer was lost: look again before making another.
      if (!(error instanceof GitHubError) || error.status < 500 || attempt >= TRIES) throw error;
      await calls.sleep(500 * 2 ** attempt);
    }
  }
}

async function writeOnce(target: CommentTarget, marker: string, body: string, calls: Calls): Promise<CommentResult> {
  const known = await findComment(target, marker, calls);
  if (known?.body === body) return { action: "unchanged", url: known.html_url };
  const path = known
    ? `/repos/${target.repository}/issues/comments/${known.id}`
    : `/repos/${target.repository}/issues/${target.number}/comments`;
  const response = await call(target, calls, known ? "PATCH" : "POST", `${base(target)}${path}`, { body });
  const written = commentSchema.safeParse(await response.json().catch(() => undefined));
  return { action: known ? "updated" : "created", url: written.success ? written.data.html_url : "" };
}

async function findComment(target: CommentTarget, marker: string, calls: Calls): Promise<Comment | undefined> {
  let url: string | undefined =
    `${base(target)}/repos/${target.repository}/issues/${target.number}/comments?per_page=100`;
  for (let page = 0; url !== undefined && page < MAX_PAGES; page++) {
    const response: Response = await call(target, calls, "GET", url);
    const parsed = z.array(commentSchema).safeParse(await response.json().catch(() => undefined));
    if (!parsed.success) throw new GitHubError(response.status, "GET comments", "the answer is no list of comments");
    const comments = parsed.data;
    const found = comments.find((it) => it.user?.login === target.author && (it.body ?? "").startsWith(marker));
    if (found) return found;
    url = nextPage(response.headers.get("link"), target);
  }
  return undefined;
}

/** The next page, if it is on the same server: the token goes nowhere else. */
function nextPage(link: string | null, target: CommentTarget): string | undefined {
  const next = /<([^>]+)>\s*;[^,]*\brel="?next"?/.exec(link ?? "")?.[1];
  if (next === undefined || !URL.canParse(next)) return undefined;
  return new URL(next).origin === new URL(target.apiUrl).origin ? next : undefined;
}

/** One call; waits and tries again where GitHub says that there were too many. */
async function call(
  target: CommentTarget,
  calls: Calls,
  method: string,
  url: string,
  body?: unknown,
): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const response = await calls.request(url, {
      method,
      redirect: "error",
      signal: AbortSignal.timeout(30_000),
      headers: {
        accept: "application/vnd.github+json",
        authorization: `Bearer ${target.token}`,
        "user-agent": "hcloud-swarm-preview-report",
        "x-github-api-version": "2022-11-28",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.ok) return response;
    const what = `${method} ${new URL(url).pathname}`;
    const wait = rateLimit(response);
    if (wait === undefined) throw new GitHubError(response.status, what);
    if (wait > LONGEST_WAIT || attempt >= TRIES)
      throw new GitHubError(429, what, `too many requests; it asks to wait for ${wait} s. Run the job again later`);
    await calls.sleep(wait * 1000);
  }
}

/** Seconds that GitHub asks to wait for, by either of its limits; undefined where it is another refusal. */
function rateLimit({ status, headers }: Response): number | undefined {
  if (status !== 429 && status !== 403) return undefined;
  const after = headers.get("retry-after");
  if (after !== null && /^\d{1,6}$/.test(after)) return Number(after);
  const reset = headers.get("x-ratelimit-reset");
  if (headers.get("x-ratelimit-remaining") === "0" && reset !== null && /^\d{1,12}$/.test(reset))
    return Math.max(1, Math.ceil(Number(reset) - Date.now() / 1000));
  return status === 429 ? LONGEST_WAIT : undefined;
}

function base(target: CommentTarget): string {
  return target.apiUrl.replace(/\/+$/, "");
}
