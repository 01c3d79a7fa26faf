/** `/actions`: the actions that the client names by id. */
import type { FastifyInstance } from "fastify";
import { actionView } from "../actions.js";
import type { Context } from "../context.js";
import { ApiError } from "../errors.js";
import { parseListQuery, sorted } from "../lists.js";
import { byId } from "../state.js";
import { pathId } from "./common.js";

export function globalActionRoutes(app: FastifyInstance, { engine }: Context): void {
  app.get("/actions", async (request) => {
    const query = parseListQuery(request.query);
    if (query.id.length === 0) {
      throw new ApiError("deprecated_api_endpoint", "listing all actions is not possible any more: name them by id");
    }
    const actions = engine.state.actions.filter((action) => query.id.includes(action.id));
    return { actions: sorted(actions, query).map(actionView) };
  });
  app.get("/actions/:id", async (request) => ({
    action: actionView(byId(engine.state.actions, pathId(request.params), "action")),
  }));
}
