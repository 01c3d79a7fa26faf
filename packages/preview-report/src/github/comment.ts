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
  ) {
    super(`GitHub answered ${status} to ${what}`);
  }
}

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

/**
 * Writes the comment, or rewrites the one that is there.
 * @param key What there is one comment for; usually `project/stack`.
 * @throws GitHubError when the API refuses; TypeError when it cannot be reached.
 */
export async function upsertComment(
  target: CommentTarget,
  key: string,
  markdown: string,
  request: typeof fetch = fetch,
): Promise<CommentResult> {
  const marker = markerOf(key);
  const body = `${marker}\n${markdown}`;
  const known = await findComment(target, marker, request);
  if (known?.body === body) return { action: "unchanged", url: known.html_url };
  const path = known
    ? `/repos/${target.repository}/issues/comments/${known.id}`
    : `/repos/${target.repository}/issues/${target.number}/comments`;
  const response = await call(target, request, known ? "PATCH" : "POST", `${base(target)}${path}`, { body });
  const written = commentSchema.safeParse(await response.json());
  return { action: known ? "updated" : "created", url: written.success ? written.data.html_url : "" };
}

async function findComment(target: CommentTarget, marker: string, request: typeof fetch): Promise<Comment | undefined> {
  let url: string | undefined =
    `${base(target)}/repos/${target.repository}/issues/${target.number}/comments?per_page=100`;
  for (let page = 0; url !== undefined && page < MAX_PAGES; page++) {
    const response: Response = await call(target, request, "GET", url);
    const comments = z.array(commentSchema).parse(await response.json());
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

async function call(
  target: CommentTarget,
  request: typeof fetch,
  method: string,
  url: string,
  body?: unknown,
): Promise<Response> {
  const response = await request(url, {
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
  if (!response.ok) throw new GitHubError(response.status, `${method} ${new URL(url).pathname}`);
  return response;
}

function base(target: CommentTarget): string {
  return target.apiUrl.replace(/\/+$/, "");
}
