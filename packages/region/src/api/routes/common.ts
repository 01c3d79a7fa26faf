/** What most resources' routes have in common. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { actionView } from "../actions.js";
import type { Engine } from "../engine.js";
import type { Labels } from "../labels.js";
import { type ListQuery, paged, parseListQuery, selectNamed, sorted } from "../lists.js";
import { type Action, byId, concerns, type State } from "../state.js";
import { idTextSchema, parseInput } from "../validation.js";

/** The numeric id in the path. Throws `invalid_input`. */
export function pathId(params: unknown, name = "id"): number {
  const parsed = parseInput(z.object({ [name]: idTextSchema }), params);
  return parsed[name] as number;
}

export interface Readable<T> {
  /** Path and key of a list, such as `ssh_keys`. */
  readonly plural: string;
  /** Key of one, and its kind in error messages. */
  readonly singular: string;
  readonly all: (state: State) => readonly T[] | Promise<readonly T[]>;
  readonly view: (item: T, state: State) => unknown;
  /** More filters than name and labels. */
  readonly filter?: (item: T, query: ListQuery) => boolean;
  /** More keys of the list's body. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** `GET /things` and `GET /things/{id}`. */
export function readRoutes<T extends { readonly id: number; readonly name: string; readonly labels?: Labels }>(
  app: FastifyInstance,
  engine: Engine,
  { plural, singular, all, view, filter = () => true, more = {} }: Readable<T>,
): void {
  app.get(`/${plural}`, async (request) => {
    const query = parseListQuery(request.query);
    const items = await all(engine.state);
    const { page, meta } = paged(
      sorted(
        selectNamed(items, query).filter((item) => filter(item, query)),
        query,
      ),
      query,
    );
    return { [plural]: page.map((item) => view(item, engine.state)), ...more, meta };
  });
  app.get(`/${plural}/:id`, async (request) => {
    const id = pathId(request.params);
    const item = byId(await all(engine.state), id, singular);
    return { [singular]: view(item, engine.state) };
  });
}

function actionsPage(actions: readonly Action[], rawQuery: unknown) {
  const query = parseListQuery(rawQuery);
  const matching = actions.filter(
    (action) =>
      (query.status.length === 0 || query.status.includes(action.status)) &&
      (query.id.length === 0 || query.id.includes(action.id)),
  );
  const { page, meta } = paged(sorted(matching, query), query);
  return { actions: page.map(actionView), meta };
}

/** The four read routes of a resource's actions. */
export function actionRoutes(
  app: FastifyInstance,
  engine: Engine,
  plural: string,
  type: string,
  exists: (state: State, id: number) => void,
): void {
  const ofType = () =>
    engine.state.actions.filter((action) => action.resources.some((resource) => resource.type === type));
  app.get(`/${plural}/actions`, async (request) => actionsPage(ofType(), request.query));
  app.get(`/${plural}/actions/:id`, async (request) => ({
    action: actionView(byId(ofType(), pathId(request.params), "action")),
  }));
  app.get(`/${plural}/:id/actions`, async (request) => {
    const id = pathId(request.params);
    exists(engine.state, id);
    return actionsPage(
      ofType().filter((action) => concerns(action, type, id)),
      request.query,
    );
  });
  app.get(`/${plural}/:id/actions/:action_id`, async (request) => {
    const id = pathId(request.params);
    exists(engine.state, id);
    const actions = ofType().filter((action) => concerns(action, type, id));
    return { action: actionView(byId(actions, pathId(request.params, "action_id"), "action")) };
  });
}
