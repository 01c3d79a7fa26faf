import type { FastifyInstance } from "fastify";
import { actionView } from "../actions.js";
import type { Context } from "../context.js";
import {
  applySchema,
  applyToResources,
  createFirewall,
  createFirewallSchema,
  deleteFirewall,
  firewallView,
  removeFromResources,
  removeSchema,
  setRules,
  setRulesSchema,
} from "../firewalls.js";
import { type Action, byId, rename, type State } from "../state.js";
import { parseInput, renameSchema } from "../validation.js";
import { actionRoutes, pathId, readRoutes } from "./common.js";

/** Finishes the actions when the machines filter as the state says. */
export function settleFirewalls({ engine, firewalls }: Context, actions: readonly Action[]): void {
  if (actions.length === 0) return;
  const ids = actions.map((action) => action.id);
  void engine.run(`firewalls:${ids[0]}`, ids, () => firewalls.settle());
}

export function firewallRoutes(app: FastifyInstance, context: Context): void {
  const { engine } = context;
  readRoutes(app, engine, {
    plural: "firewalls",
    singular: "firewall",
    all: (state) => state.firewalls,
    view: (firewall, state) => firewallView(state, firewall),
  });
  actionRoutes(app, engine, "firewalls", "firewall", (state, id) => byId(state.firewalls, id, "firewall"));

  app.post("/firewalls", async (request, reply) => {
    const input = parseInput(createFirewallSchema, request.body);
    const { firewall, actions } = engine.change((draft, now) => createFirewall(draft, now, input));
    settleFirewalls(context, actions);
    return reply.code(201).send({ firewall: firewallView(engine.state, firewall), actions: actions.map(actionView) });
  });
  app.put("/firewalls/:id", async (request) => {
    const input = parseInput(renameSchema, request.body);
    const id = pathId(request.params);
    const firewall = engine.change((draft) => rename(draft.firewalls, id, "firewall", input));
    return { firewall: firewallView(engine.state, firewall) };
  });
  app.delete("/firewalls/:id", async (request, reply) => {
    const id = pathId(request.params);
    engine.change((draft) => deleteFirewall(draft, id));
    return reply.code(204).send();
  });

  const changeRoute = (name: string, change: (draft: State, now: string, id: number, body: unknown) => Action[]) => {
    app.post(`/firewalls/:id/actions/${name}`, async (request, reply) => {
      const id = pathId(request.params);
      const actions = engine.change((draft, now) => change(draft, now, id, request.body));
      settleFirewalls(context, actions);
      return reply.code(201).send({ actions: actions.map(actionView) });
    });
  };
  changeRoute("set_rules", (draft, now, id, body) => setRules(draft, now, id, parseInput(setRulesSchema, body).rules));
  changeRoute("apply_to_resources", (draft, now, id, body) =>
    applyToResources(draft, now, id, parseInput(applySchema, body).apply_to),
  );
  changeRoute("remove_from_resources", (draft, now, id, body) =>
    removeFromResources(draft, now, id, parseInput(removeSchema, body).remove_from),
  );
}
