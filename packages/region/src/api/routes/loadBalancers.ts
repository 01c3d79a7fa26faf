import type { FastifyInstance } from "fastify";
import { actionView } from "../actions.js";
import { type Context, loadBalancerKey } from "../context.js";
import {
  addServiceTo,
  deleteServiceOf,
  deleteServiceSchema,
  serviceSchema,
  updateServiceOf,
  updateServiceSchema,
} from "../loadBalancerServices.js";
import {
  attach,
  attachBalancerSchema,
  changeAlgorithmSchema,
  changeBalancerDns,
  changeBalancerDnsSchema,
  changeBalancerType,
  changeBalancerTypeSchema,
  changeLoadBalancer,
  createLoadBalancer,
  createLoadBalancerSchema,
  detach,
  disablePublic,
  loadBalancerView,
  protectLoadBalancer,
  startBalancerDeletion,
} from "../loadBalancers.js";
import { addTargetTo, removeTargetFrom, targetSchema } from "../loadBalancerTargets.js";
import { detachSchema } from "../serverNetworks.js";
import { byId, type LoadBalancer, rename, type State } from "../state.js";
import { parseInput, protectionSchema, renameSchema } from "../validation.js";
import { actionRoutes, pathId, readRoutes } from "./common.js";

export function loadBalancerRoutes(app: FastifyInstance, { engine, balancers }: Context): void {
  const view = (balancer: LoadBalancer, state: State) =>
    loadBalancerView(state, balancer, balancers.health(balancer.id));
  readRoutes(app, engine, {
    plural: "load_balancers",
    singular: "load_balancer",
    async all() {
      await balancers.observe();
      return engine.state.loadBalancers;
    },
    view,
  });
  actionRoutes(app, engine, "load_balancers", "load_balancer", (state, id) =>
    byId(state.loadBalancers, id, "load_balancer"),
  );

  const bring = (id: number, actionId: number) =>
    void engine.run(loadBalancerKey(id), [actionId], () => balancers.bring(id));

  app.post("/load_balancers", async (request, reply) => {
    const input = parseInput(createLoadBalancerSchema, request.body);
    const { balancer, action } = engine.change((draft, now) => createLoadBalancer(draft, now, input));
    const body = { load_balancer: view(balancer, engine.state), action: actionView(action) };
    bring(balancer.id, action.id);
    return reply.code(201).send(body);
  });
  app.put("/load_balancers/:id", async (request) => {
    const input = parseInput(renameSchema, request.body);
    const id = pathId(request.params);
    const balancer = engine.change((draft) => rename(draft.loadBalancers, id, "load_balancer", input));
    return { load_balancer: view(balancer, engine.state) };
  });
  app.delete("/load_balancers/:id", async (request, reply) => {
    const id = pathId(request.params);
    engine.change((draft) => startBalancerDeletion(draft, id));
    await engine.exclusive(loadBalancerKey(id), () => balancers.remove(id));
    return reply.code(204).send();
  });

  /** A POST on an action: changes the state, answers with the running action, and brings the backend there behind it. */
  const changeRoute = (
    name: string,
    change: (balancer: LoadBalancer, body: unknown, draft: State) => void,
    networkOf?: (body: unknown) => number,
  ) => {
    app.post(`/load_balancers/:id/actions/${name}`, async (request, reply) => {
      const id = pathId(request.params);
      const { body } = request;
      const action = engine.change((draft, now) =>
        changeLoadBalancer(draft, now, name, id, (balancer) => change(balancer, body, draft), networkOf?.(body)),
      );
      bring(id, action.id);
      return reply.code(201).send({ action: actionView(action) });
    });
  };
  const networkOf = (body: unknown) => parseInput(detachSchema, body).network;
  changeRoute("add_service", (balancer, body) => addServiceTo(balancer, parseInput(serviceSchema, body)));
  changeRoute("update_service", (balancer, body) => updateServiceOf(balancer, parseInput(updateServiceSchema, body)));
  changeRoute("delete_service", (balancer, body) =>
    deleteServiceOf(balancer, parseInput(deleteServiceSchema, body).listen_port),
  );
  changeRoute("add_target", (balancer, body, draft) => addTargetTo(draft, balancer, parseInput(targetSchema, body)));
  changeRoute("remove_target", (balancer, body, draft) =>
    removeTargetFrom(draft, balancer, parseInput(targetSchema, body)),
  );
  changeRoute(
    "attach_to_network",
    (balancer, body, draft) => attach(draft, balancer, parseInput(attachBalancerSchema, body)),
    networkOf,
  );
  changeRoute("detach_from_network", (balancer, body, draft) => detach(draft, balancer, networkOf(body)), networkOf);
  changeRoute("change_algorithm", (balancer, body) => {
    balancer.algorithm = parseInput(changeAlgorithmSchema, body).type;
  });
  changeRoute("change_type", (balancer, body, draft) =>
    changeBalancerType(draft, balancer, parseInput(changeBalancerTypeSchema, body).load_balancer_type),
  );
  changeRoute("enable_public_interface", (balancer) => {
    balancer.publicEnabled = true;
  });
  changeRoute("disable_public_interface", (balancer) => disablePublic(balancer));

  app.post("/load_balancers/:id/actions/change_protection", async (request, reply) => {
    const input = parseInput(protectionSchema, request.body);
    const id = pathId(request.params);
    const action = engine.change((draft, now) => protectLoadBalancer(draft, now, id, input));
    return reply.code(201).send({ action: actionView(action) });
  });
  app.post("/load_balancers/:id/actions/change_dns_ptr", async (request, reply) => {
    const input = parseInput(changeBalancerDnsSchema, request.body);
    const id = pathId(request.params);
    const action = engine.change((draft, now) => changeBalancerDns(draft, now, id, input));
    return reply.code(201).send({ action: actionView(action) });
  });
}
