/**
 * Faults on request, for tests of what a client does when the API refuses. They are part of the state, so a restored
 * checkpoint forgets those set after it.
 */
import type { Engine } from "./engine.js";
import { ApiError } from "./errors.js";
import { type Fault, faultSchema, type State } from "./state.js";
import { parseInput } from "./validation.js";

/**
 * Adds a fault. `unavailable` makes server types unavailable in locations (each absent field means all) until the faults
 * are cleared: creation answers `resource_unavailable`. `error` answers the operation, written as in the API's
 * description (`POST /servers/{id}/actions/attach_to_network`), with the code, `times` times (default: once).
 * Throws `invalid_input` when the fault is malformed.
 */
export function setFault(engine: Engine, fault: unknown): void {
  const parsed = parseInput(faultSchema, fault);
  engine.change((draft) => draft.faults.push(parsed));
}

export function clearFaults(engine: Engine): void {
  engine.change((draft) => {
    draft.faults = [];
  });
}

/** Whether a fault makes the server type unavailable in the location. */
export function isUnavailable(state: State, serverType: string, location: string): boolean {
  return state.faults.some(
    (fault) =>
      fault.kind === "unavailable" &&
      (fault.serverType ?? serverType) === serverType &&
      (fault.location ?? location) === location,
  );
}

/** Uses up one `error` fault of the operation, if there is one, and throws it. */
export function throwFault(engine: Engine, operation: string): void {
  const matches = (fault: Fault) => fault.kind === "error" && fault.operation === operation;
  if (!engine.state.faults.some(matches)) return;
  const error = engine.change((draft) => {
    const index = draft.faults.findIndex(matches);
    const fault = draft.faults[index];
    if (fault?.kind !== "error") return undefined;
    if ((fault.times ?? 1) > 1) fault.times = (fault.times ?? 1) - 1;
    else draft.faults.splice(index, 1);
    return new ApiError(fault.code, fault.message);
  });
  if (error) throw error;
}
