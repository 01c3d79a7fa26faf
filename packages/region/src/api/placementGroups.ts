/** Placement groups: servers of a spread group run on different hosts; the region has one host and keeps the limit only. */
import { z } from "zod";
import { ApiError } from "./errors.js";
import { labelsSchema } from "./labels.js";
import { assertNameFree, byId, type PlacementGroup, removeById, type State, takeId } from "./state.js";
import { nameSchema } from "./validation.js";

const MAX_SERVERS = 10;

export const createPlacementGroupSchema = z.object({
  name: nameSchema,
  type: z.literal("spread"),
  labels: labelsSchema.default({}),
});

export function createPlacementGroup(
  state: State,
  now: string,
  input: z.output<typeof createPlacementGroupSchema>,
): PlacementGroup {
  assertNameFree(state.placementGroups, input.name, "placement_group");
  const group: PlacementGroup = { id: takeId(state), ...input, created: now };
  state.placementGroups.push(group);
  return group;
}

/** Servers of the group leave it. */
export function deletePlacementGroup(state: State, id: number): void {
  byId(state.placementGroups, id, "placement_group");
  for (const server of state.servers) {
    if (server.placementGroupId === id) server.placementGroupId = null;
  }
  removeById(state.placementGroups, id);
}

function membersOf(state: State, groupId: number): number[] {
  return state.servers.filter((server) => server.placementGroupId === groupId).map((server) => server.id);
}

/** Throws `placement_error` when the group cannot take one more server. */
export function assertRoomFor(state: State, groupId: number): void {
  if (membersOf(state, groupId).length >= MAX_SERVERS) {
    throw new ApiError("placement_error", `a placement group has at most ${MAX_SERVERS} servers`);
  }
}

export function placementGroupView(state: State, group: PlacementGroup) {
  return {
    id: group.id,
    name: group.name,
    type: group.type,
    labels: group.labels,
    created: group.created,
    servers: membersOf(state, group.id),
  };
}
