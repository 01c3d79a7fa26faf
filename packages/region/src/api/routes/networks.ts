import type { FastifyInstance } from "fastify";
import { actionView } from "../actions.js";
import { type Context, networkKey, serverKey } from "../context.js";
import { ApiError, messageOf } from "../errors.js";
import { putNetwork } from "../machines.js";
import {
  addRoute,
  addSubnet,
  changeIpRange,
  createNetwork,
  createNetworkSchema,
  deleteNetwork,
  deleteRoute,
  deleteSubnet,
  ipRangeSchema,
  networkView,
  protectNetwork,
  routeSchema,
  subnetSchema,
  updateNetwork,
  updateNetworkSchema,
} from "../networks.js";
import { type Action, byId, removeById, type State } from "../state.js";
import { parseInput, protectionSchema } from "../validation.js";
import { actionRoutes, pathId, readRoutes } from "./common.js";

export function networkRoutes(app: FastifyInstance, context: Context): void {
  const { engine, backend } = context;
  readRoutes(app, engine, {
    plural: "networks",
    singular: "network",
    all: (state) => state.networks,
    view: (network, state) => networkView(state, network),
  });
  actionRoutes(app, engine, "networks", "network", (state, id) => byId(state.networks, id, "network"));

  app.post("/networks", async (request, reply) => {
    const input = parseInput(createNetworkSchema, request.body);
    const network = engine.change((draft, now) => createNetwork(draft, now, input));
    try {
      await engine.exclusive(networkKey(network.id), () => putNetwork(context, network.id));
    } catch (error) {
      engine.change((draft) => removeById(draft.networks, network.id));
      throw new ApiError("server_error", messageOf(error));
    }
    return reply.code(201).send({ network: networkView(engine.state, network) });
  });
  app.put("/networks/:id", async (request) => {
    const input = parseInput(updateNetworkSchema, request.body);
    const id = pathId(request.params);
    const network = engine.change((draft) => updateNetwork(draft, id, input));
    return { network: networkView(engine.state, network) };
  });
  app.delete("/networks/:id", async (request, reply) => {
    const id = pathId(request.params);
    const detached = engine.change((draft) => deleteNetwork(draft, id));
    for (const serverId of detached) {
      await engine.exclusive(serverKey(serverId), () => backend.detachPrivate(serverId, id));
    }
    await engine.exclusive(networkKey(id), () => backend.deleteNetwork(id));
    return reply.code(204).send();
  });

  /** Answers with the action at once and brings the backend up to date behind it. */
  const changeRoute = (name: string, change: (draft: State, now: string, id: number, body: unknown) => Action) => {
    app.post(`/networks/:id/actions/${name}`, async (request, reply) => {
      const id = pathId(request.params);
      const action = engine.change((draft, now) => change(draft, now, id, request.body));
      void engine.run(networkKey(id), [action.id], () => putNetwork(context, id));
      return reply.code(201).send({ action: actionView(action) });
    });
  };
  changeRoute("add_subnet", (draft, now, id, body) => addSubnet(draft, now, id, parseInput(subnetSchema, body)));
  changeRoute("delete_subnet", (draft, now, id, body) =>
    deleteSubnet(draft, now, id, parseInput(ipRangeSchema, body).ip_range),
  );
  changeRoute("add_route", (draft, now, id, body) => addRoute(draft, now, id, parseInput(routeSchema, body)));
  changeRoute("delete_route", (draft, now, id, body) => deleteRoute(draft, now, id, parseInput(routeSchema, body)));
  changeRoute("change_ip_range", (draft, now, id, body) =>
    changeIpRange(draft, now, id, parseInput(ipRangeSchema, body).ip_range),
  );
  app.post("/networks/:id/actions/change_protection", async (request, reply) => {
    const input = parseInput(protectionSchema, request.body);
    const id = pathId(request.params);
    const action = engine.change((draft, now) => protectNetwork(draft, now, id, input));
    return reply.code(201).send({ action: actionView(action) });
  });
}
