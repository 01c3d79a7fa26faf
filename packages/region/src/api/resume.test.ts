import { describe, expect, test } from "vitest";
import { makeFirewall, makeNetwork, makeServer, testApi } from "./testing/harness.js";

/** A region with a Network, a Firewall, a running server and one that is off, and a new process on its saved state. */
async function restarted(
  interrupt: (region: ReturnType<typeof testApi>, ids: { web: number; idle: number }) => Promise<void>,
) {
  const region = testApi();
  const network = await makeNetwork(region);
  const firewall = await makeFirewall(region, "f", ["22"]);
  const web = await makeServer(region, "web", { networks: [network.id], firewalls: [{ firewall: firewall.id }] });
  const idle = await makeServer(region, "idle", { start_after_create: false });
  await interrupt(region, { web: web.id, idle: idle.id });
  const after = testApi({ saved: region.api.snapshot() });
  return { before: region, after, web, idle, network };
}

describe("after a restart", () => {
  test("the backend becomes what it was, firewall before power", async () => {
    const { before, after, web, idle, network } = await restarted(async () => {});
    expect(await after.api.resume()).toEqual([]);
    const { calls } = after.backend;
    expect(calls[0]).toBe(`putNetwork(${network.id})`);
    const of = (id: number) => calls.filter((call) => call.endsWith(`(${id})`));
    expect(of(web.id)).toEqual(["createMachine", "setFirewall", "powerOn"].map((method) => `${method}(${web.id})`));
    expect(of(idle.id)).toEqual(["createMachine", "setFirewall"].map((method) => `${method}(${idle.id})`));
    expect(after.backend.machines).toEqual(before.backend.machines);
    expect((await after.get("/servers")).servers).toEqual((await before.get("/servers")).servers);
  });

  test("interrupted creations, power changes and attachments are completed", async () => {
    const { after, idle } = await restarted(async (region, { idle }) => {
      region.backend.hold("createMachine");
      region.backend.hold("powerOn");
      await region.call("POST", "/servers", { name: "new", server_type: "cx23", image: "debian-13" });
      await region.call("POST", `/servers/${idle}/actions/poweron`);
    });
    const running = (await after.get("/servers/actions?status=running")).actions;
    expect(running.map((action: { command: string }) => action.command).sort()).toEqual([
      "create_server",
      "start_server",
      "start_server",
    ]);
    await after.api.resume();
    expect((await after.get("/servers/actions?status=running")).actions).toEqual([]);
    for (const { id } of running) expect(await after.action(id)).toMatchObject({ status: "success" });
    const { servers } = await after.get("/servers");
    expect(servers.map((server: { name: string; status: string }) => [server.name, server.status])).toEqual([
      ["web", "running"],
      ["idle", "running"],
      ["new", "running"],
    ]);
    expect(after.backend.calls).toContain(`powerOn(${idle.id})`);
  });

  test("interrupted deletions are finished, and a stop stays a stop", async () => {
    const { after, web, idle } = await restarted(async (region, { web, idle }) => {
      region.backend.hold("deleteMachine");
      region.backend.hold("powerOff");
      await region.call("DELETE", `/servers/${idle}`);
      await region.call("POST", `/servers/${web}/actions/poweroff`);
    });
    await after.api.resume();
    const { servers } = await after.get("/servers");
    expect(servers).toMatchObject([{ id: web.id, status: "off" }]);
    expect(after.backend.calls).toContain(`deleteMachine(${idle.id})`);
  });

  test("an interrupted rebuild has failed", async () => {
    const { after, web } = await restarted(async (region, { web }) => {
      region.backend.hold("rebuildMachine");
      await region.call("POST", `/servers/${web}/actions/rebuild`, { image: "debian-12" });
    });
    await after.api.resume();
    const { actions } = await after.get(`/servers/${web.id}/actions?sort=id:desc`);
    expect(actions[0]).toMatchObject({ command: "rebuild_server", status: "error" });
  });

  test("what cannot be brought back is told and fails its action; the rest comes back", async () => {
    const { after, web, idle } = await restarted(async (region, { web, idle }) => {
      for (const method of ["powerOff", "powerOn"] as const) region.backend.hold(method);
      await region.call("POST", `/servers/${web}/actions/poweroff`);
      await region.call("POST", `/servers/${idle}/actions/poweron`);
    });
    after.backend.failNext("createMachine", "its disk is gone");
    const problems = await after.api.resume();
    const [lost, back] = after.backend.machines.has(web.id) ? [idle, web] : [web, idle];
    expect(problems).toEqual([{ resource: `server ${lost.id}`, message: "its disk is gone" }]);
    expect(after.backend.machines.has(back.id)).toBe(true);
    const last = async (id: number) => (await after.get(`/servers/${id}/actions?sort=id:desc`)).actions[0];
    expect(await last(lost.id)).toMatchObject({
      status: "error",
      error: { message: expect.stringContaining("restart") },
    });
    expect(await last(back.id)).toMatchObject({ status: "success" });
  });
});

describe("checkpoints", () => {
  test("bring the whole state back, without what came later", async () => {
    const region = testApi();
    const kept = await makeServer(region, "kept");
    await region.api.observe();
    const saved = region.api.snapshot();
    const later = await makeServer(region, "later");
    region.api.setFault({ kind: "unavailable" });
    await region.make("POST", `/servers/${kept.id}/actions/poweroff`);
    region.api.restore(saved);
    expect(await region.api.resume()).toEqual([]);
    expect((await region.get("/servers")).servers).toMatchObject([{ id: kept.id, status: "running" }]);
    const fresh = await makeServer(region, "new");
    expect(fresh.public_net.ipv4.ip).toBe("203.0.113.2");
    // Its disk may be in another checkpoint.
    expect(fresh.id).toBeGreaterThan(later.id);
    expect(region.store.load()).toBe(region.api.snapshot());
  });

  test("a text that is no state changes nothing", async () => {
    const region = testApi();
    await makeServer(region, "s");
    const before = region.api.snapshot();
    expect(() => region.api.restore('{"version":1}')).toThrow("not readable");
    expect(region.api.snapshot()).toBe(before);
  });
});
