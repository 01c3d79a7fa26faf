import type { FastifyInstance } from "fastify";
import { actionView } from "../actions.js";
import { type Context, serverKey } from "../context.js";
import { observePower } from "../machines.js";
import {
  assignPrimaryIp,
  assignSchema,
  changeDnsPtr,
  changeDnsPtrSchema,
  createPrimaryIp,
  createPrimaryIpSchema,
  deletePrimaryIp,
  primaryIpView,
  protectPrimaryIp,
  publicInterface,
  unassignPrimaryIp,
  updatePrimaryIp,
  updatePrimaryIpSchema,
} from "../primaryIps.js";
import { byId } from "../state.js";
import { parseInput, protectionSchema } from "../validation.js";
import { actionRoutes, pathId, readRoutes } from "./common.js";

export function primaryIpRoutes(app: FastifyInstance, context: Context): void {
  const { engine, backend, firewalls } = context;
  readRoutes(app, engine, {
    plural: "primary_ips",
    singular: "primary_ip",
    all: (state) => state.primaryIps,
    view: (ip) => primaryIpView(ip, engine.now()),
    filter: (ip, query) => query.ip === undefined || ip.ip === query.ip || ip.ip.split("/")[0] === query.ip,
  });
  actionRoutes(app, engine, "primary_ips", "primary_ip", (state, id) => byId(state.primaryIps, id, "primary_ip"));

  const bringInterface = (serverId: number, actionId: number) => {
    void engine.run(serverKey(serverId), [actionId], async () => {
      const server = byId(engine.state.servers, serverId, "server");
      await backend.setPublic(serverId, publicInterface(engine.state, server));
      // A first public interface brings the firewalls of label selectors with it.
      await firewalls.bring(serverId);
    });
  };

  app.post("/primary_ips", async (request, reply) => {
    const input = parseInput(createPrimaryIpSchema, request.body);
    if (input.assignee_id) await observePower(context);
    const { primaryIp, action } = engine.change((draft, now) => createPrimaryIp(draft, now, input));
    if (action && primaryIp.serverId !== null) bringInterface(primaryIp.serverId, action.id);
    const body = { primary_ip: primaryIpView(primaryIp, engine.now()) };
    return reply.code(201).send(action ? { ...body, action: actionView(action) } : body);
  });
  app.put("/primary_ips/:id", async (request) => {
    const input = parseInput(updatePrimaryIpSchema, request.body);
    const id = pathId(request.params);
    const ip = engine.change((draft) => updatePrimaryIp(draft, id, input));
    return { primary_ip: primaryIpView(ip, engine.now()) };
  });
  app.delete("/primary_ips/:id", async (request, reply) => {
    const id = pathId(request.params);
    engine.change((draft) => deletePrimaryIp(draft, id));
    return reply.code(204).send();
  });
  app.post("/primary_ips/:id/actions/assign", async (request, reply) => {
    const input = parseInput(assignSchema, request.body);
    const id = pathId(request.params);
    await observePower(context);
    const action = engine.change((draft, now) => assignPrimaryIp(draft, now, id, input.assignee_id));
    bringInterface(input.assignee_id, action.id);
    return reply.code(201).send({ action: actionView(action) });
  });
  app.post("/primary_ips/:id/actions/unassign", async (request, reply) => {
    const id = pathId(request.params);
    await observePower(context);
    const { action, serverId } = engine.change((draft, now) => unassignPrimaryIp(draft, now, id));
    bringInterface(serverId, action.id);
    return reply.code(201).send({ action: actionView(action) });
  });
  app.post("/primary_ips/:id/actions/change_dns_ptr", async (request, reply) => {
    const input = parseInput(changeDnsPtrSchema, request.body);
    const id = pathId(request.params);
    const action = engine.change((draft, now) => changeDnsPtr(draft, now, id, input));
    return reply.code(201).send({ action: actionView(action) });
  });
  app.post("/primary_ips/:id/actions/change_protection", async (request, reply) => {
    const input = parseInput(protectionSchema, request.body);
    const id = pathId(request.params);
    const action = engine.change((draft, now) => protectPrimaryIp(draft, now, id, input));
    return reply.code(201).send({ action: actionView(action) });
  });
}
