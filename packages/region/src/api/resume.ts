/** Brings the backend to what the state says, after a start of the daemon or the restore of a checkpoint. */
import { finishAction } from "./actions.js";
import type { Context } from "./context.js";
import { messageOf } from "./errors.js";
import { destroy, powerOn, provision, putNetwork, putVolume } from "./machines.js";
import { forgetDeleted } from "./servers.js";
import { type Action, concerns, type Server, type State } from "./state.js";

export interface ResumeProblem {
  readonly resource: string;
  readonly message: string;
}

function running(state: State, command: string, serverId: number): Action | undefined {
  return state.actions.find(
    (action) => action.status === "running" && action.command === command && concerns(action, "server", serverId),
  );
}

/** A server is on when it was, or when an action was about to switch it on. */
function shouldRun(state: State, server: Server): boolean {
  if (running(state, "stop_server", server.id)) return false;
  return (
    server.power === "running" ||
    ["start_server", "change_server_type", "reset_server"].some((command) => running(state, command, server.id))
  );
}

/**
 * Makes Networks, Volumes and machines, applies firewalls and switches on what was on. What an interrupted action had asked for is
 * in the state already, so bringing the backend there completes it: such actions succeed, deletions are finished, and
 * those of a server whose machine cannot be made fail. Only a rebuild fails always, as nobody knows how far its disk got.
 * Machines are brought up side by side. Returns what went wrong; the other resources are resumed all the same.
 */
export async function resume(context: Context): Promise<ResumeProblem[]> {
  const { engine, balancers } = context;
  const problems: ResumeProblem[] = [];
  const attempt = async (resource: string, work: () => Promise<void>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      problems.push({ resource, message: messageOf(error) });
      return false;
    }
  };

  const { networks, volumes, servers } = engine.state;
  const failed = new Set<number>();
  await Promise.all([
    ...networks.map(({ id }) => attempt(`network ${id}`, () => putNetwork(context, id))),
    ...volumes.map(async ({ id }) => {
      if (!(await attempt(`volume ${id}`, () => putVolume(context, id)))) failed.add(id);
    }),
  ]);

  const { loadBalancers } = engine.state;
  await Promise.all(
    servers.map(async (server) => {
      if (!(await attempt(`server ${server.id}`, () => resumeServer(context, server)))) failed.add(server.id);
    }),
  );

  // They come last, as their targets should be there; what an interrupted action had asked for is in the state.
  for (const { id } of loadBalancers) {
    if (!(await attempt(`load balancer ${id}`, () => balancers.bring(id)))) failed.add(id);
  }

  engine.change((draft, now) => {
    for (const action of draft.actions.filter((item) => item.status === "running")) {
      finishAction(draft, now, action.id, failureOf(action, failed));
    }
  });
  return problems;
}

async function resumeServer(context: Context, server: Server): Promise<void> {
  const { engine } = context;
  if (running(engine.state, "delete_server", server.id)) {
    await destroy(context, server.id);
    engine.change((draft) => forgetDeleted(draft, server.id));
    return;
  }
  const run = shouldRun(engine.state, server);
  await provision(context, server.id);
  if (run) await powerOn(context, server.id);
}

function failureOf(action: Action, failed: ReadonlySet<number>): string | undefined {
  if (action.command === "rebuild_server") return "interrupted by a restart of the region";
  const broken = action.resources.some(
    (resource) => ["server", "load_balancer", "volume"].includes(resource.type) && failed.has(resource.id),
  );
  return broken ? "the region could not bring it back after a restart" : undefined;
}
