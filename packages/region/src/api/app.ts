/** The Fastify app of the hcloud API: authentication, errors, rate-limit headers, the recorder, and all routes. */
import { randomUUID, timingSafeEqual } from "node:crypto";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Context } from "./context.js";
import { ApiError, messageOf } from "./errors.js";
import { throwFault } from "./faults.js";
import { createRateLimit } from "./rateLimit.js";
import { globalActionRoutes } from "./routes/actions.js";
import { catalogRoutes } from "./routes/catalog.js";
import { firewallRoutes } from "./routes/firewalls.js";
import { loadBalancerRoutes } from "./routes/loadBalancers.js";
import { networkRoutes } from "./routes/networks.js";
import { placementGroupRoutes } from "./routes/placementGroups.js";
import { primaryIpRoutes } from "./routes/primaryIps.js";
import { serverRoutes } from "./routes/servers.js";
import { sshKeyRoutes } from "./routes/sshKeys.js";
import { volumeRoutes } from "./routes/volumes.js";

const PREFIX = "/v1";

/** One request and its answer, for checks against the API's description. */
export interface Exchange {
  readonly method: string;
  /** Path as in the API's description, such as `/servers/{id}`; undefined when no route matched. */
  readonly route: string | undefined;
  /** Path and query of the request. */
  readonly path: string;
  readonly status: number;
  readonly requestBody: unknown;
  /** Parsed JSON; undefined when the answer has no body. */
  readonly responseBody: unknown;
}

export interface AppOptions {
  readonly context: Context;
  readonly token: string;
  readonly clock: () => Date;
  readonly onExchange?: ((exchange: Exchange) => void) | undefined;
}

function operationOf(request: FastifyRequest): string | undefined {
  const url = request.routeOptions.url;
  if (url === undefined) return undefined;
  return url.slice(PREFIX.length).replace(/:([a-z_]+)/g, "{$1}");
}

function isAuthorized(header: string | undefined, token: string): boolean {
  const [given, wanted] = [Buffer.from(header ?? ""), Buffer.from(`Bearer ${token}`)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function errorOf(thrown: FastifyError | Error): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const status = "statusCode" in thrown ? thrown.statusCode : undefined;
  if (status === 413) return new ApiError("invalid_input", "the request is too large");
  if (status === 400) return new ApiError("json_error", thrown.message);
  return new ApiError("server_error", messageOf(thrown));
}

function sendError(reply: FastifyReply, error: ApiError): FastifyReply {
  const { code, message, details } = error;
  return reply.code(error.status).send({ error: { code, message, details } });
}

export function createApp({ context, token, clock, onExchange }: AppOptions): FastifyInstance {
  const app = Fastify({ genReqId: () => randomUUID(), forceCloseConnections: true, exposeHeadRoutes: false });
  const limit = createRateLimit(clock);

  // Clients send actions without a body but with a JSON content type, which Fastify's own parser refuses.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    if (body === "") return done(null, undefined);
    try {
      done(null, JSON.parse(String(body)));
    } catch {
      done(new ApiError("json_error", "the request's body is not valid JSON"));
    }
  });

  app.addHook("onRequest", async (request, reply) => {
    reply.headers({ ...limit.headers(), "x-correlation-id": request.id });
    if (!isAuthorized(request.headers.authorization, token))
      throw new ApiError("unauthorized", "unable to authenticate");
  });
  app.addHook("preHandler", async (request) => {
    const route = operationOf(request);
    if (route !== undefined) throwFault(context.engine, `${request.method} ${route}`);
  });
  if (onExchange) {
    app.addHook("onSend", async (request, reply, payload) => {
      onExchange({
        method: request.method,
        route: operationOf(request),
        path: request.url,
        status: reply.statusCode,
        requestBody: request.body,
        responseBody: typeof payload === "string" && payload !== "" ? JSON.parse(payload) : undefined,
      });
    });
  }
  app.setErrorHandler<FastifyError>((error, _request, reply) => sendError(reply, errorOf(error)));
  app.setNotFoundHandler((request, reply) =>
    sendError(
      reply,
      new ApiError("not_found", `this region does not offer ${request.method} ${request.url.split("?")[0]}`),
    ),
  );

  void app.register(
    async (v1) => {
      globalActionRoutes(v1, context);
      catalogRoutes(v1, context);
      sshKeyRoutes(v1, context);
      networkRoutes(v1, context);
      firewallRoutes(v1, context);
      placementGroupRoutes(v1, context);
      primaryIpRoutes(v1, context);
      serverRoutes(v1, context);
      loadBalancerRoutes(v1, context);
      volumeRoutes(v1, context);
    },
    { prefix: PREFIX },
  );
  return app;
}
