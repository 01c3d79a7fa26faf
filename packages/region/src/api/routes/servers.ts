import { randomBytes } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { actionView, recordAction } from "../actions.js";
import { type Context, networkKey, serverKey } from "../context.js";
import { ApiError, invalidField } from "../errors.js";
import { firewallIdsByServer, startSelectorActions } from "../firewalls.js";
import { destroy, observePower, powerOff, powerOn, provision, reset } from "../machines.js";
import { changeDnsPtrSchema, holds, setDnsPtr } from "../primaryIps.js";
import {
  attachSchema,
  attachToNetwork,
  changeAliasIps,
  changeAliasIpsSchema,
  detachFromNetwork,
  detachSchema,
  privateInterface,
} from "../serverNetworks.js";
import {
  addToPlacementGroup,
  assertHasInterface,
  changeServerProtectionSchema,
  changeType,
  changeTypeSchema,
  createServer,
  createServerSchema,
  forgetDeleted,
  placementGroupRefSchema,
  protectServer,
  rebuild,
  rebuildSchema,
  removeFromPlacementGroup,
  sizeOf,
  startDeletion,
  startPowerAction,
  updateServer,
  updateServerSchema,
} from "../servers.js";
import { serverView, statusOf } from "../serverView.js";
import { type Action, byId, type State } from "../state.js";
import { parseInput } from "../validation.js";
import { actionRoutes, pathId, readRoutes } from "./common.js";
import { settleFirewalls } from "./firewalls.js";

/** Actions of the API that need what a region does not have: rescue system, ISOs, backups, snapshots, consoles. */
const UNSUPPORTED = [
  "attach_iso",
  "create_image",
  "detach_iso",
  "disable_backup",
  "disable_rescue",
  "enable_backup",
  "enable_rescue",
  "request_console",
  "reset_password",
];

export function serverRoutes(app: FastifyInstance, context: Context): void {
  const { engine, backend } = context;
  readRoutes(app, engine, {
    plural: "servers",
    singular: "server",
    async all() {
      await observePower(context);
      return engine.state.servers;
    },
    view: (server, state) => serverView(state, server, engine.now()),
    filter: (server, query) => query.status.length === 0 || query.status.includes(statusOf(engine.state, server)),
  });
  actionRoutes(app, engine, "servers", "server", (state, id) => byId(state.servers, id, "server"));

  app.post("/servers", async (request, reply) => {
    const input = parseInput(createServerSchema, request.body);
    const made = { images: await backend.images(), password: randomBytes(15).toString("base64url") };
    const { server, action, nextActions } = engine.change((draft, now) => createServer(draft, now, input, made));
    const body = {
      server: serverView(engine.state, server, engine.now()),
      action: actionView(action),
      next_actions: nextActions.map(actionView),
      root_password: server.rootPassword,
    };
    void engine.run(serverKey(server.id), [action.id], () => provision(context, server.id));
    for (const next of nextActions) {
      void engine.run(serverKey(server.id), [next.id], () => powerOn(context, server.id));
    }
    return reply.code(201).send(body);
  });
  app.put("/servers/:id", async (request) => {
    const input = parseInput(updateServerSchema, request.body);
    const id = pathId(request.params);
    const { server, actions } = engine.change((draft, now) => {
      const before = firewallIdsByServer(draft);
      return { server: updateServer(draft, id, input), actions: startSelectorActions(draft, now, before) };
    });
    settleFirewalls(context, actions);
    return { server: serverView(engine.state, server, engine.now()) };
  });
  app.delete("/servers/:id", async (request) => {
    const id = pathId(request.params);
    const action = engine.change((draft, now) => startDeletion(draft, now, id));
    void engine.run(serverKey(id), [action.id], async () => {
      await destroy(context, id);
      engine.change((draft) => forgetDeleted(draft, id));
    });
    return { action: actionView(action) };
  });

  /** A POST on an action: changes the state, answers with the running action, and does the job behind it. */
  const actionRoute = (
    name: string,
    change: (draft: State, now: string, id: number, body: unknown) => Action,
    job?: (id: number, body: unknown) => Promise<void>,
  ) => {
    app.post(`/servers/:id/actions/${name}`, async (request, reply) => {
      const id = pathId(request.params);
      await observePower(context);
      const action = engine.change((draft, now) => change(draft, now, id, request.body));
      if (job) void engine.run(serverKey(id), [action.id], () => job(id, request.body));
      return reply.code(201).send({ action: actionView(action) });
    });
  };
  const power = (command: string) => (draft: State, now: string, id: number) =>
    startPowerAction(draft, now, command, id);
  const on = (draft: State, now: string, id: number) => {
    assertHasInterface(draft, byId(draft.servers, id, "server"));
    return startPowerAction(draft, now, "start_server", id);
  };
  actionRoute("poweron", on, (id) => powerOn(context, id));
  actionRoute("poweroff", power("stop_server"), (id) => powerOff(context, id));
  actionRoute("shutdown", power("shutdown_server"), (id) => backend.shutdown(id));
  actionRoute("reboot", power("reboot_server"), (id) => backend.reboot(id));
  actionRoute("reset", power("reset_server"), (id) => reset(context, id));

  actionRoute(
    "change_type",
    (draft, now, id, body) => changeType(draft, now, id, parseInput(changeTypeSchema, body)).action,
    async (id) => {
      await backend.resizeMachine(id, sizeOf(byId(engine.state.servers, id, "server")));
      await powerOn(context, id);
    },
  );
  app.post("/servers/:id/actions/rebuild", async (request, reply) => {
    const id = pathId(request.params);
    const input = parseInput(rebuildSchema, request.body);
    const images = await backend.images();
    const { server, action } = engine.change((draft, now) => rebuild(draft, now, id, input, images));
    void engine.run(serverKey(id), [action.id], async () => {
      await powerOff(context, id);
      await backend.rebuildMachine(id, server.image);
      await powerOn(context, id);
    });
    return reply.code(201).send({ action: actionView(action), root_password: server.rootPassword });
  });

  actionRoute(
    "attach_to_network",
    (draft, now, id, body) => attachToNetwork(draft, now, id, parseInput(attachSchema, body)),
    bringPrivate,
  );
  actionRoute(
    "change_alias_ips",
    (draft, now, id, body) => changeAliasIps(draft, now, id, parseInput(changeAliasIpsSchema, body)),
    bringPrivate,
  );
  async function bringPrivate(id: number, body: unknown): Promise<void> {
    const { network } = parseInput(detachSchema, body);
    const net = byId(engine.state.servers, id, "server").privateNets.find((item) => item.networkId === network);
    if (!net) return;
    await engine.idle(networkKey(network));
    await backend.attachPrivate(id, privateInterface(net));
  }
  actionRoute(
    "detach_from_network",
    (draft, now, id, body) => detachFromNetwork(draft, now, id, parseInput(detachSchema, body).network),
    (id, body) => backend.detachPrivate(id, parseInput(detachSchema, body).network),
  );

  actionRoute("change_protection", (draft, now, id, body) =>
    protectServer(draft, now, id, parseInput(changeServerProtectionSchema, body)),
  );
  actionRoute("add_to_placement_group", (draft, now, id, body) =>
    addToPlacementGroup(draft, now, id, parseInput(placementGroupRefSchema, body).placement_group),
  );
  actionRoute("remove_from_placement_group", removeFromPlacementGroup);
  actionRoute("change_dns_ptr", (draft, now, id, body) => {
    const input = parseInput(changeDnsPtrSchema, body);
    byId(draft.servers, id, "server");
    const ip = draft.primaryIps.find((item) => item.serverId === id && holds(item, input.ip));
    if (!ip) throw invalidField("ip", "is not a public address of the server");
    setDnsPtr(ip, input);
    return recordAction(draft, now, { command: "change_dns_ptr", resources: [{ id, type: "server" }] });
  });

  for (const name of UNSUPPORTED) {
    app.post(`/servers/:id/actions/${name}`, async (request) => {
      byId(engine.state.servers, pathId(request.params), "server");
      throw new ApiError("unsupported_error", `${name} is not supported in this region`);
    });
  }
}
