import type { FastifyInstance } from "fastify";
import { actionView } from "../actions.js";
import { type Context, serverKey, volumeKey } from "../context.js";
import { putVolume } from "../machines.js";
import { byId } from "../state.js";
import { parseInput, protectionSchema } from "../validation.js";
import {
  attachVolume,
  attachVolumeSchema,
  createVolume,
  createVolumeSchema,
  deleteVolume,
  detachVolume,
  protectVolume,
  resizeVolume,
  resizeVolumeSchema,
  updateVolume,
  updateVolumeSchema,
  volumeView,
} from "../volumes.js";
import { actionRoutes, pathId, readRoutes } from "./common.js";

export function volumeRoutes(app: FastifyInstance, context: Context): void {
  const { engine, backend } = context;
  readRoutes(app, engine, {
    plural: "volumes",
    singular: "volume",
    all: (state) => state.volumes,
    view: volumeView,
    filter: ({ available }, query) =>
      query.status.length === 0 || query.status.includes(available ? "available" : "creating"),
  });
  actionRoutes(app, engine, "volumes", "volume", (state, id) => byId(state.volumes, id, "volume"));

  /** After all that the server is about, and after the Volume's own making. */
  const bringTo = (serverId: number, volumeId: number, actionId: number) => {
    void engine.run(serverKey(serverId), [actionId], async () => {
      await engine.idle(volumeKey(volumeId));
      if (!byId(engine.state.volumes, volumeId, "volume").available) throw new Error("the volume was not made");
      await backend.attachVolume(serverId, volumeId);
    });
  };

  app.post("/volumes", async (request, reply) => {
    const input = parseInput(createVolumeSchema, request.body);
    const { volume, action, nextActions } = engine.change((draft, now) => createVolume(draft, now, input));
    const body = {
      volume: volumeView(volume),
      action: actionView(action),
      next_actions: nextActions.map(actionView),
    };
    void engine.run(volumeKey(volume.id), [action.id], () => putVolume(context, volume.id));
    for (const { id } of nextActions) if (volume.serverId !== null) bringTo(volume.serverId, volume.id, id);
    return reply.code(201).send(body);
  });
  app.put("/volumes/:id", async (request) => {
    const input = parseInput(updateVolumeSchema, request.body);
    const id = pathId(request.params);
    return { volume: volumeView(engine.change((draft) => updateVolume(draft, id, input))) };
  });
  app.delete("/volumes/:id", async (request, reply) => {
    const id = pathId(request.params);
    engine.change((draft) => deleteVolume(draft, id));
    await engine.exclusive(volumeKey(id), () => backend.deleteVolume(id));
    return reply.code(204).send();
  });
  app.post("/volumes/:id/actions/attach", async (request, reply) => {
    const { server } = parseInput(attachVolumeSchema, request.body);
    const id = pathId(request.params);
    const action = engine.change((draft, now) => attachVolume(draft, now, id, server));
    bringTo(server, id, action.id);
    return reply.code(201).send({ action: actionView(action) });
  });
  app.post("/volumes/:id/actions/detach", async (request, reply) => {
    const id = pathId(request.params);
    const { action, serverId } = engine.change((draft, now) => detachVolume(draft, now, id));
    void engine.run(serverKey(serverId), [action.id], () => backend.detachVolume(serverId, id));
    return reply.code(201).send({ action: actionView(action) });
  });
  app.post("/volumes/:id/actions/resize", async (request, reply) => {
    const { size } = parseInput(resizeVolumeSchema, request.body);
    const id = pathId(request.params);
    const action = engine.change((draft, now) => resizeVolume(draft, now, id, size));
    void engine.run(volumeKey(id), [action.id], () => putVolume(context, id));
    return reply.code(201).send({ action: actionView(action) });
  });
  app.post("/volumes/:id/actions/change_protection", async (request, reply) => {
    const input = parseInput(protectionSchema, request.body);
    const id = pathId(request.params);
    const action = engine.change((draft, now) => protectVolume(draft, now, id, input));
    return reply.code(201).send({ action: actionView(action) });
  });
}
