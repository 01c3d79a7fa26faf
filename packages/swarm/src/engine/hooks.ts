import * as store from "@pulumi/pulumi/runtime/state";

/**
 * Whether the Pulumi that runs this calls hooks: a program with hooks fails where it does not. An old language host stands between a
 * new engine and the program, and says yes in the engine's name; it does not hand on the question for all that the engine can do,
 * in whose answer alone the second of these is.
 */
export function callsHooks(kind: "supportsResourceHooks" | "supportsErrorHooks"): boolean {
  const get: unknown = Reflect.get(store, "getStore");
  if (typeof get !== "function") return false;
  const known = get();
  return known[kind] === true && known.supportsInvokeDependsOn === true;
}
