/** The run-time check of `loadBalancer.ts`, with its defaults; `plan/loadBalancer.ts` checks it against the rest of the cluster. */
import * as z from "zod";
import { flag, strict, whole } from "../firewall/fields";
import { address4, location } from "./hostSchema";
import { oneOf, text } from "./invalidArgument";
import { LoadBalancerAlgorithm, LoadBalancerProtocol } from "./loadBalancer";

/** What the types can bear. Types that come later are left to Hetzner Cloud to judge. */
export const balancerLimits: ReadonlyMap<string, { readonly services: number; readonly targets: number }> = new Map([
  ["lb11", { services: 5, targets: 25 }],
  ["lb21", { services: 15, targets: 75 }],
  ["lb31", { services: 30, targets: 150 }],
]);

const port = whole(1, 65535, "a port");
const protocol = z.enum(LoadBalancerProtocol, {
  error:
    "tcp or http: Hetzner Cloud Load Balancers carry neither UDP nor SCTP, and TLS passes through tcp to what is published",
});
const word = (allowed: string) => text(/^[\x21-\x7e]{1,250}$/, allowed);

const healthCheck = strict({
  protocol: protocol.optional(),
  port: port.optional(),
  interval: whole(3, 60, "seconds").default(15),
  timeout: whole(1, 60, "seconds").optional(),
  retries: whole(1, 5, "failed checks").default(3),
  path: text(/^\/[\x21-\x7e]{0,250}$/, "a path that begins with /").optional(),
  domain: word("a domain").optional(),
  statusCodes: z
    .array(text(/^[1-5][0-9?]{2}$/, "a status code, such as 200 or 2??"), { error: "a list of status codes" })
    .min(1, { error: "at least one status code; leave it out for 2?? and 3??" })
    .optional(),
  response: text(/^\P{Cc}{1,250}$/u, "a text of one line").optional(),
  tls: flag.optional(),
}).superRefine(({ interval, timeout = 1 }, context) => {
  if (timeout <= interval) return;
  context.addIssue({ code: "custom", path: ["timeout"], message: `at most ${interval} seconds, the interval` });
});

const service = strict({
  listenPort: port,
  publishedPort: port.optional(),
  protocol: protocol.default(LoadBalancerProtocol.Tcp),
  proxyProtocol: flag.default(false),
  healthCheck: healthCheck.prefault({}),
})
  .superRefine(({ protocol: own, healthCheck: check }, context) => {
    if ((check.protocol ?? own) === LoadBalancerProtocol.Http) return;
    for (const key of ["path", "domain", "statusCodes", "response", "tls"] as const)
      if (check[key] !== undefined)
        context.addIssue({ code: "custom", path: ["healthCheck", key], message: "nothing, but in a check of http" });
  })
  .transform(({ publishedPort, healthCheck: check, ...rest }) => {
    const dialed = publishedPort ?? rest.listenPort;
    const { protocol: checked = rest.protocol, port: at = dialed, timeout = Math.min(10, check.interval) } = check;
    return { ...rest, publishedPort: dialed, healthCheck: { ...check, protocol: checked, port: at, timeout } };
  });

export const loadBalancerSchema = strict({
  services: z.array(service, { error: "a list of services" }).min(1, { error: "at least one service" }),
  type: text(/^[a-z0-9-]{2,30}$/, "a Hetzner Cloud load balancer type, such as lb11").default("lb11"),
  location: location.optional(),
  algorithm: oneOf(LoadBalancerAlgorithm).default(LoadBalancerAlgorithm.RoundRobin),
  privateIp: address4.optional(),
  pools: z
    .array(z.string({ error: "a pool's name" }), { error: "a list of pools" })
    .min(1, { error: "at least one pool; leave it out for all" })
    .transform((names): readonly string[] => [...new Set(names)].sort())
    .optional(),
}).superRefine(({ services, type }, context) => {
  const limit = balancerLimits.get(type)?.services ?? Number.POSITIVE_INFINITY;
  if (services.length > limit)
    context.addIssue({
      code: "custom",
      path: ["services"],
      message: `at most ${limit} services with type ${type}`,
      params: { given: `${services.length} services` },
    });
  for (const [index, { listenPort }] of services.entries())
    if (services.findIndex((other) => other.listenPort === listenPort) < index)
      context.addIssue({
        code: "custom",
        path: ["services", index, "listenPort"],
        message: "a port that no other service listens on",
        params: { given: `${listenPort} once more` },
      });
});

export type LoadBalancerInput = z.output<typeof loadBalancerSchema>;
