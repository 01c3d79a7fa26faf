import type { FastifyInstance } from "fastify";
import type { Context } from "../context.js";
import {
  createPlacementGroup,
  createPlacementGroupSchema,
  deletePlacementGroup,
  placementGroupView,
} from "../placementGroups.js";
import { rename } from "../state.js";
import { parseInput, renameSchema } from "../validation.js";
import { pathId, readRoutes } from "./common.js";

export function placementGroupRoutes(app: FastifyInstance, { engine }: Context): void {
  readRoutes(app, engine, {
    plural: "placement_groups",
    singular: "placement_group",
    all: (state) => state.placementGroups,
    view: (group, state) => placementGroupView(state, group),
    filter: (group, query) => query.type.length === 0 || query.type.includes(group.type),
  });
  app.post("/placement_groups", async (request, reply) => {
    const input = parseInput(createPlacementGroupSchema, request.body);
    const group = engine.change((draft, now) => createPlacementGroup(draft, now, input));
    return reply.code(201).send({ placement_group: placementGroupView(engine.state, group), action: null });
  });
  app.put("/placement_groups/:id", async (request) => {
    const input = parseInput(renameSchema, request.body);
    const id = pathId(request.params);
    const group = engine.change((draft) => rename(draft.placementGroups, id, "placement_group", input));
    return { placement_group: placementGroupView(engine.state, group) };
  });
  app.delete("/placement_groups/:id", async (request, reply) => {
    const id = pathId(request.params);
    engine.change((draft) => deletePlacementGroup(draft, id));
    return reply.code(204).send();
  });
}
