/** Actions: what the API did or is doing. */
import type { Action, State } from "./state.js";

/** Finished actions beyond this many are forgotten, oldest first. */
const KEPT_ACTIONS = 1000;

export interface NewAction {
  readonly command: string;
  readonly resources: readonly { readonly id: number; readonly type: string }[];
  /** The resources refuse other changes until the action is finished. Default: false. */
  readonly locks?: boolean;
}

/** Adds a running action. */
export function startAction(state: State, now: string, action: NewAction): Action {
  const started: Action = {
    id: state.nextActionId,
    command: action.command,
    status: "running",
    progress: 0,
    started: now,
    finished: null,
    resources: action.resources.map(({ id, type }) => ({ id, type })),
    error: null,
    locks: action.locks ?? false,
  };
  state.nextActionId += 1;
  state.actions.push(started);
  forgetOldActions(state);
  return started;
}

/** Adds an action that is over already: changes that only the API's own state knows. */
export function recordAction(state: State, now: string, action: NewAction): Action {
  const done = startAction(state, now, action);
  finishAction(state, now, done.id);
  return done;
}

/** Marks a running action as successful, or as failed when a message is given. Finished or forgotten ones stay as they are. */
export function finishAction(state: State, now: string, id: number, error?: string): void {
  const action = state.actions.find((item) => item.id === id);
  if (action?.status !== "running") return;
  action.finished = now;
  action.progress = 100;
  action.status = error === undefined ? "success" : "error";
  action.error = error === undefined ? null : { code: "action_failed", message: error };
}

function forgetOldActions(state: State): void {
  if (state.actions.length <= KEPT_ACTIONS) return;
  const finished = state.actions.filter((action) => action.status !== "running").map((action) => action.id);
  const forgotten = new Set(finished.slice(0, state.actions.length - KEPT_ACTIONS));
  state.actions = state.actions.filter((action) => !forgotten.has(action.id));
}

export function actionView(action: Action) {
  const { locks: _, ...view } = action;
  return view;
}
