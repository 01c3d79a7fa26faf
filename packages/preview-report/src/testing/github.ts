/** A local stand-in for the part of GitHub's REST API that the action uses: pages, headers, limits and refusals as GitHub has them. */
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";

export interface StoredComment {
  id: number;
  body: string;
  user: { login: string };
}

/** An answer instead of the real one. `lost`: the request takes effect, and then this is answered. */
export interface Fault {
  status: number;
  headers?: Record<string, string>;
  lost?: boolean;
  /** Which requests it is for. Default: any. */
  method?: string;
}

export const BOT = "github-actions[bot]";
const LIST = "/repos/:owner/:repo/issues/:number/comments";
/** How the links to further pages name the repository. */
const BY_NUMBER = "/repositories/1296269/issues/:number/comments";
const MAX_BODY = 65_536;

export class FakeGitHub {
  comments: StoredComment[] = [];
  /** Method, path and query of each request, in order. */
  requests: string[] = [];
  /** Answers for the next requests, first come first served. */
  faults: Fault[] = [];
  /** Login whose token it is. */
  login = BOT;
  token = "test-token";
  /** What the token may do. */
  mayWrite = true;
  private readonly server: FastifyInstance;
  private nextId = 5000;

  constructor() {
    this.server = fastify();
    this.server.addHook("onRequest", async (request, reply) => this.received(request, reply));
    this.server.setNotFoundHandler((_request, reply) => notFound(reply));
    for (const path of [LIST, BY_NUMBER]) this.server.get(path, (request, reply) => this.list(request, reply));
    this.server.post(LIST, (request, reply) => this.create(request, reply));
    this.server.patch("/repos/:owner/:repo/issues/comments/:id", (request, reply) => this.update(request, reply));
  }

  async start(): Promise<void> {
    await this.server.listen({ port: 0, host: "127.0.0.1" });
  }

  async stop(): Promise<void> {
    await this.server.close();
  }

  get origin(): string {
    const address = this.server.server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : address}`;
  }

  add(login: string, body: string): StoredComment {
    const made = { id: this.nextId++, body, user: { login } };
    this.comments.push(made);
    return made;
  }

  private async received(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`);
    reply.headers({
      "x-github-request-id": "0400:1234:56789",
      "x-ratelimit-limit": "1000",
      "x-ratelimit-remaining": "997",
      "x-ratelimit-reset": String(Math.floor(Date.now() / 1000) + 3600),
      "x-ratelimit-resource": "core",
    });
    if (request.headers.authorization !== `Bearer ${this.token}`) return refuse(reply, 401, "Bad credentials");
    if (!request.headers["user-agent"]) return refuse(reply, 403, "Request forbidden by administrative rules");
    const [fault] = this.faults;
    if (!fault || fault.lost || (fault.method !== undefined && fault.method !== request.method)) return undefined;
    this.faults.shift();
    // Pages of errors are HTML, with whatever was sent in them.
    return reply
      .code(fault.status)
      .headers(fault.headers ?? {})
      .type("text/html")
      .send(`<html>${request.headers.authorization}</html>`);
  }

  private list(request: FastifyRequest, reply: FastifyReply): unknown {
    if (!this.isThread(request)) return notFound(reply);
    const query = request.query as { per_page?: string; page?: string };
    const size = Math.min(100, Number(query.per_page ?? 30));
    const page = Number(query.page ?? 1);
    const last = Math.max(1, Math.ceil(this.comments.length / size));
    const at = (to: number, name: string) =>
      `<${this.origin}/repositories/1296269/issues/7/comments?per_page=${size}&page=${to}>; rel="${name}"`;
    const before = page > 1 ? [at(page - 1, "prev")] : [];
    const after = page < last ? [at(page + 1, "next"), at(last, "last")] : [];
    const links = [...before, ...after, ...(page > 1 ? [at(1, "first")] : [])];
    if (links.length > 0) reply.header("link", links.join(", "));
    return this.comments.slice((page - 1) * size, page * size).map((it) => this.shown(it));
  }

  private create(request: FastifyRequest, reply: FastifyReply): unknown {
    if (!this.isThread(request)) return notFound(reply);
    const body = this.bodyOf(request, reply);
    if (body === undefined) return reply;
    const made = this.add(this.login, body);
    return this.answered(reply, 201, made);
  }

  private update(request: FastifyRequest, reply: FastifyReply): unknown {
    const found = this.comments.find((it) => String(it.id) === (request.params as { id: string }).id);
    if (!found) return notFound(reply);
    if (found.user.login !== this.login) return refuse(reply, 403, "Must have admin rights to Repository.");
    const body = this.bodyOf(request, reply);
    if (body === undefined) return reply;
    found.body = body;
    return this.answered(reply, 200, found);
  }

  private answered(reply: FastifyReply, status: number, comment: StoredComment): unknown {
    const [fault] = this.faults;
    if (!fault?.lost) return reply.code(status).send(this.shown(comment));
    this.faults.shift();
    return reply.code(fault.status).type("text/html").send("<html>");
  }

  private bodyOf(request: FastifyRequest, reply: FastifyReply): string | undefined {
    if (!this.mayWrite) refuse(reply, 403, "Resource not accessible by integration");
    else {
      const { body } = (request.body ?? {}) as { body?: unknown };
      if (typeof body === "string" && body !== "" && [...body].length <= MAX_BODY) return body;
      refuse(reply, 422, `Validation Failed: Body is too long (maximum is ${MAX_BODY} characters)`);
    }
    return undefined;
  }

  private isThread(request: FastifyRequest): boolean {
    const { owner = "o", repo = "r", number } = request.params as Record<string, string>;
    return `${owner}/${repo}/${number}` === "o/r/7";
  }

  private shown(comment: StoredComment): object {
    const html_url = `${this.origin}/o/r/pull/7#issuecomment-${comment.id}`;
    return { ...comment, html_url, created_at: "2030-01-01T00:00:00Z", author_association: "NONE" };
  }
}

function notFound(reply: FastifyReply): FastifyReply {
  return refuse(reply, 404, "Not Found");
}

function refuse(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply
    .code(status)
    .send({ message, documentation_url: "https://docs.github.com/rest", status: String(status) });
}
