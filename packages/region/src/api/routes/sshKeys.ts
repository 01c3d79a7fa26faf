import type { FastifyInstance } from "fastify";
import type { Context } from "../context.js";
import { createSshKey, createSshKeySchema, deleteSshKey, sshKeyView } from "../sshKeys.js";
import { rename } from "../state.js";
import { parseInput, renameSchema } from "../validation.js";
import { pathId, readRoutes } from "./common.js";

export function sshKeyRoutes(app: FastifyInstance, { engine }: Context): void {
  readRoutes(app, engine, {
    plural: "ssh_keys",
    singular: "ssh_key",
    all: (state) => state.sshKeys,
    view: sshKeyView,
    filter: (key, query) => query.fingerprint === undefined || key.fingerprint === query.fingerprint,
  });
  app.post("/ssh_keys", async (request, reply) => {
    const input = parseInput(createSshKeySchema, request.body);
    const key = engine.change((draft, now) => createSshKey(draft, now, input));
    return reply.code(201).send({ ssh_key: sshKeyView(key) });
  });
  app.put("/ssh_keys/:id", async (request) => {
    const input = parseInput(renameSchema, request.body);
    const id = pathId(request.params);
    return { ssh_key: sshKeyView(engine.change((draft) => rename(draft.sshKeys, id, "ssh_key", input))) };
  });
  app.delete("/ssh_keys/:id", async (request, reply) => {
    const id = pathId(request.params);
    engine.change((draft) => deleteSshKey(draft, id));
    return reply.code(204).send();
  });
}
