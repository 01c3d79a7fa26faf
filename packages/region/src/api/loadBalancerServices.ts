/** Services of a Load Balancer: which port goes to which, and how targets are checked. */
import { z } from "zod";
import type { BalancedService } from "../backend.js";
import { findLoadBalancerType } from "./catalog/loadBalancerTypes.js";
import { ApiError, invalidField } from "./errors.js";
import type { LoadBalancer, Service } from "./state.js";

const DEFAULT_COOKIE = { cookie_name: "HCLBSTICKY", cookie_lifetime: 300 };
const DEFAULT_STATUS_CODES = ["2??", "3??"];

const port = z.number().int().min(1).max(65_535);
/** One line of printable text without spaces. */
const word = z.string().regex(/^[\x21-\x7e]*$/, { error: "must be printable ASCII without spaces" });
const line = z.string().regex(/^\P{Cc}*$/u, { error: "must be one line" });

const checkHttpSchema = z.object({
  domain: word.nullable().optional(),
  path: word.startsWith("/").optional(),
  response: line.optional(),
  status_codes: z
    .array(z.string().regex(/^[1-5][0-9?]{2}$/, { error: "must be a status code, with ? for any digit" }))
    .optional(),
  tls: z.boolean().optional(),
});
const healthCheckSchema = z.object({
  protocol: z.enum(["tcp", "http"]).optional(),
  port: port.optional(),
  interval: z.number().int().min(3).max(60).optional(),
  timeout: z.number().int().min(1).max(60).optional(),
  retries: z.number().int().min(0).max(5).optional(),
  http: checkHttpSchema.optional(),
});
const httpSchema = z.object({
  certificates: z.array(z.number().int()).optional(),
  cookie_name: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, { error: "must be letters, digits, dashes and underscores" })
    .optional(),
  cookie_lifetime: z.number().int().min(30).max(86_400).optional(),
  redirect_http: z.boolean().optional(),
  sticky_sessions: z.boolean().optional(),
});

export const serviceSchema = z.object({
  protocol: z.enum(["tcp", "http", "https"]),
  listen_port: port.optional(),
  destination_port: port.optional(),
  proxyprotocol: z.boolean().default(false),
  http: httpSchema.optional(),
  health_check: healthCheckSchema.default({}),
});
export const updateServiceSchema = serviceSchema.partial().extend({
  listen_port: port,
  proxyprotocol: z.boolean().optional(),
  health_check: healthCheckSchema.optional(),
});
export const deleteServiceSchema = z.object({ listen_port: port });

type ServiceInput = z.output<typeof serviceSchema>;
type UpdateInput = z.output<typeof updateServiceSchema>;

function plainProtocol(protocol: ServiceInput["protocol"]): Service["protocol"] {
  if (protocol !== "https") return protocol;
  throw new ApiError("unsupported_error", "this region has no certificates, so it offers no https services");
}

function httpOf(protocol: Service["protocol"], input: ServiceInput["http"], before: Service["http"]): Service["http"] {
  if (protocol === "tcp") return null;
  if (input?.certificates?.length) throw invalidField("http.certificates", "are for protocol https only");
  if (input?.redirect_http) throw invalidField("http.redirect_http", "is for protocol https only");
  return {
    stickySessions: input?.sticky_sessions ?? before?.stickySessions ?? false,
    cookieName: input?.cookie_name ?? before?.cookieName ?? DEFAULT_COOKIE.cookie_name,
    cookieLifetime: input?.cookie_lifetime ?? before?.cookieLifetime ?? DEFAULT_COOKIE.cookie_lifetime,
  };
}

function healthCheckOf(
  input: NonNullable<UpdateInput["health_check"]>,
  fallback: Pick<Service, "protocol" | "destinationPort">,
  before: Service["healthCheck"] | undefined,
): Service["healthCheck"] {
  const protocol = input.protocol ?? before?.protocol ?? fallback.protocol;
  const check = {
    protocol,
    port: input.port ?? before?.port ?? fallback.destinationPort,
    interval: input.interval ?? before?.interval ?? 15,
    timeout: input.timeout ?? before?.timeout ?? 10,
    retries: input.retries ?? before?.retries ?? 3,
  };
  if (check.timeout > check.interval) throw invalidField("health_check.timeout", "must not be longer than interval");
  if (protocol === "tcp") return { ...check, http: null };
  const old = before?.http;
  return {
    ...check,
    http: {
      domain: input.http?.domain === undefined ? (old?.domain ?? null) : input.http.domain,
      path: input.http?.path ?? old?.path ?? "/",
      response: input.http?.response ?? old?.response ?? "",
      statusCodes: input.http?.status_codes ?? old?.statusCodes ?? DEFAULT_STATUS_CODES,
      tls: input.http?.tls ?? old?.tls ?? false,
    },
  };
}

/** Adds a service. Ports of tcp are required; those of http default to 80. */
export function addServiceTo(balancer: LoadBalancer, input: ServiceInput): void {
  const protocol = plainProtocol(input.protocol);
  const usual = protocol === "http" ? 80 : undefined;
  const [listenPort, destinationPort] = [input.listen_port ?? usual, input.destination_port ?? usual];
  if (listenPort === undefined) throw invalidField("listen_port", "is required for protocol tcp");
  if (destinationPort === undefined) throw invalidField("destination_port", "is required for protocol tcp");
  if (balancer.services.some((service) => service.listenPort === listenPort)) {
    throw new ApiError("source_port_already_used", `port ${listenPort} is already used by another service`);
  }
  const { max_services } = findLoadBalancerType(balancer.type);
  if (balancer.services.length >= max_services) {
    throw new ApiError(
      "resource_limit_exceeded",
      `a load balancer of type ${balancer.type} has at most ${max_services} services`,
    );
  }
  balancer.services.push({
    protocol,
    listenPort,
    destinationPort,
    proxyProtocol: input.proxyprotocol,
    http: httpOf(protocol, input.http, null),
    healthCheck: healthCheckOf(input.health_check, { protocol, destinationPort }, undefined),
  });
}

/** The service on this port. Throws `not_found`. */
function serviceOn(balancer: LoadBalancer, listenPort: number): Service {
  const found = balancer.services.find((service) => service.listenPort === listenPort);
  if (!found) throw new ApiError("not_found", `service with listen_port '${listenPort}' not found`);
  return found;
}

/** Changes what the request has; the rest stays. */
export function updateServiceOf(balancer: LoadBalancer, input: UpdateInput): void {
  const service = serviceOn(balancer, input.listen_port);
  service.protocol = plainProtocol(input.protocol ?? service.protocol);
  service.destinationPort = input.destination_port ?? service.destinationPort;
  service.proxyProtocol = input.proxyprotocol ?? service.proxyProtocol;
  service.http = httpOf(service.protocol, input.http, service.http);
  service.healthCheck = healthCheckOf(input.health_check ?? {}, service, service.healthCheck);
}

export function deleteServiceOf(balancer: LoadBalancer, listenPort: number): void {
  const service = serviceOn(balancer, listenPort);
  balancer.services = balancer.services.filter((item) => item !== service);
}

export function balancedService({ healthCheck, http, ...service }: Service): BalancedService {
  const { protocol: _, http: check, ...timing } = healthCheck;
  return {
    ...service,
    ...(http?.stickySessions ? { cookie: { name: http.cookieName, lifetime: http.cookieLifetime } } : {}),
    healthCheck: {
      ...timing,
      ...(check
        ? {
            http: {
              ...(check.domain === null ? {} : { domain: check.domain }),
              path: check.path,
              response: check.response,
              statusCodes: check.statusCodes,
              tls: check.tls,
            },
          }
        : {}),
    },
  };
}

export function serviceView({ healthCheck, ...service }: Service) {
  const { http } = healthCheck;
  return {
    protocol: service.protocol,
    listen_port: service.listenPort,
    destination_port: service.destinationPort,
    proxyprotocol: service.proxyProtocol,
    ...(service.http
      ? {
          http: {
            sticky_sessions: service.http.stickySessions,
            cookie_name: service.http.cookieName,
            cookie_lifetime: service.http.cookieLifetime,
            redirect_http: false,
            certificates: [],
          },
        }
      : {}),
    health_check: {
      protocol: healthCheck.protocol,
      port: healthCheck.port,
      interval: healthCheck.interval,
      timeout: healthCheck.timeout,
      retries: healthCheck.retries,
      ...(http
        ? {
            http: {
              domain: http.domain,
              path: http.path,
              response: http.response,
              status_codes: http.statusCodes,
              tls: http.tls,
            },
          }
        : {}),
    },
  };
}
