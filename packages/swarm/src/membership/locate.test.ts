import { describe, expect, it } from "vitest";
import { accessOf, type ManagerAccount, spokesman } from "./locate";
import type { Survey } from "./survey";

const access = { swarmId: "s1", workerToken: "SWMTKN-1-w", managerToken: "SWMTKN-1-m", unlockKey: "" };
const account = (name: string, state: string, more: Partial<Survey> = {}): ManagerAccount => ({
  name,
  survey: { state, nodeId: "", error: "", ...more },
});
const speaking = (name: string) => account(name, "active", { swarm: { access, members: [] } });

describe("spokesman", () => {
  it("is any manager that can speak for the swarm, whichever it is", () => {
    const fresh = account("m1-r1", "inactive");
    expect(spokesman([speaking("m1"), fresh], true)).toBe(0);
    expect(spokesman([fresh, speaking("m2"), speaking("m3")], false)).toBe(1);
    expect(accessOf([fresh, speaking("m2")])).toEqual(access);
  });

  it("is nobody before there is a swarm", () => {
    expect(spokesman([account("m1", "inactive"), account("m2", "inactive")], true)).toBeUndefined();
    expect(accessOf([account("m1", "inactive")])).toBeUndefined();
  });

  it("is missed where a second swarm would be started", () => {
    expect(() => spokesman([account("m1-r1", "inactive")], false)).toThrow(
      /none of the program's managers \(m1-r1: inactive\).*with one manager, go to three first/s,
    );
  });

  it("is missed where a swarm is locked, or has no leader", () => {
    expect(() => spokesman([account("m1", "locked"), account("m2", "inactive")], true)).toThrow(
      /locked on m1: run 'docker swarm unlock'/,
    );
    const silent = account("m1", "active", { error: "rpc error: no leader" });
    expect(() => spokesman([silent], true)).toThrow(
      /no leader.*m1: active \(rpc error: no leader\).*Nothing has been/s,
    );
  });
});
