import { describe, expect, test } from "vitest";
import { makeServer, type TestApi, testApi } from "./testing/harness.js";

async function makeVolume(region: TestApi, name: string, more: object = {}) {
  const request = { name, size: 10, format: "ext4", location: "fsn1", ...more };
  const { volume } = await region.make("POST", "/volumes", request);
  return (await region.get(`/volumes/${volume.id}`)).volume;
}
const attach = (id: number, server: number) => ["POST", `/volumes/${id}/actions/attach`, { server }] as const;

describe("a volume", () => {
  test("exists on its own, and is there when its action is over", async () => {
    const region = testApi();
    const request = { name: "data", size: 10, format: "ext4", location: "fsn1", labels: { x: "y" } };
    const { volume, action, next_actions } = await region.make("POST", "/volumes", request);
    expect(volume).toMatchObject({ status: "creating", server: null, format: "ext4", labels: { x: "y" } });
    expect(next_actions).toEqual([]);
    expect(await region.action(action.id)).toMatchObject({ command: "create_volume", status: "success" });
    expect((await region.get(`/volumes/${volume.id}`)).volume).toMatchObject({
      status: "available",
      location: { name: "fsn1" },
      linux_device: `/dev/disk/by-id/scsi-0HC_Volume_${volume.id}`,
      protection: { delete: false },
    });
    expect(region.backend.volumes.get(volume.id)).toEqual({ volumeId: volume.id, size: 10, format: "ext4" });
    expect((await region.get("/volumes?name=data&status=available")).volumes).toHaveLength(1);
    expect((await region.get("/volumes?label_selector=x%3Dz")).volumes).toEqual([]);
    expect((await region.call("DELETE", `/volumes/${volume.id}`)).status).toBe(204);
    expect(region.backend.volumes.size).toBe(0);
  });

  test.each([
    [{ size: 9 }, "size"],
    [{ size: 10_241 }, "size"],
    [{ size: 10.5 }, "size"],
    [{ name: "-a" }, "name"],
    [{ name: "a".repeat(65) }, "name"],
    [{ format: "btrfs" }, "format"],
    [{ location: "moon" }, "location"],
    [{ location: undefined }, "location"],
    [{ automount: true }, "automount"],
  ])("with %j is refused", async (wrong, field) => {
    const request = { name: "data", size: 10, location: "fsn1", ...wrong };
    expect(await testApi().refusedFields("POST", "/volumes", request)).toEqual([field]);
  });

  test("is renamed, protected and made larger, never smaller", async () => {
    const region = testApi();
    const { id } = await makeVolume(region, "a");
    await makeVolume(region, "b");
    expect(await region.refusal("PUT", `/volumes/${id}`, { name: "b" })).toBe("uniqueness_error");
    const act = (name: string, body: object) => region.make("POST", `/volumes/${id}/actions/${name}`, body);
    await act("change_protection", { delete: true });
    expect(await region.refusal("DELETE", `/volumes/${id}`)).toBe("protected");
    await act("resize", { size: 20 });
    expect(region.backend.volumes.get(id)?.size).toBe(20);
    expect(await region.refusedFields("POST", `/volumes/${id}/actions/resize`, { size: 20 })).toEqual(["size"]);
    expect((await region.get(`/volumes/${id}`)).volume).toMatchObject({ size: 20, protection: { delete: true } });
  });

  test("whose disk cannot be made fails its action, and is attached to nothing", async () => {
    const region = testApi();
    const server = await makeServer(region, "s");
    region.backend.failNext("putVolume", "no room");
    const { volume, action, next_actions } = await region.make("POST", "/volumes", {
      ...{ name: "data", size: 10, server: server.id },
    });
    expect(await region.action(action.id)).toMatchObject({ status: "error", error: { message: "no room" } });
    expect(await region.action(next_actions[0].id)).toMatchObject({ status: "error" });
    expect(region.backend.machines.get(server.id)?.spec).not.toHaveProperty("volumes");
    expect((await region.get(`/volumes/${volume.id}`)).volume.status).toBe("creating");
  });
});

describe("attachment", () => {
  test("goes to a server that runs, and from one to another", async () => {
    const region = testApi();
    const [one, other] = [await makeServer(region, "one"), await makeServer(region, "other")];
    const { id } = await makeVolume(region, "data");
    const { action } = await region.make(...attach(id, one.id));
    expect(await region.action(action.id)).toMatchObject({
      command: "attach_volume",
      status: "success",
      resources: [
        { id, type: "volume" },
        { id: one.id, type: "server" },
      ],
    });
    expect((await region.get(`/servers/${one.id}`)).server.volumes).toEqual([id]);
    expect(region.backend.machines.get(one.id)?.spec.volumes).toEqual([id]);
    expect(await region.refusal(...attach(id, other.id))).toBe("volume_already_attached");
    expect(await region.refusal("DELETE", `/volumes/${id}`)).toBe("resource_in_use");
    await region.make("POST", `/volumes/${id}/actions/detach`);
    expect(region.backend.machines.get(one.id)?.spec.volumes).toEqual([]);
    expect(await region.refusal("POST", `/volumes/${id}/actions/detach`)).toBe("unsupported_error");
    await region.make(...attach(id, other.id));
    expect((await region.get(`/volumes/${id}`)).volume.server).toBe(other.id);
    await region.make("DELETE", `/servers/${other.id}`);
    expect((await region.get(`/volumes/${id}`)).volume.server).toBeNull();
  });

  test("with creation takes the server's location", async () => {
    const region = testApi();
    const server = await makeServer(region, "s", { location: "hel1" });
    const volume = await makeVolume(region, "data", { location: undefined, server: server.id });
    expect(volume).toMatchObject({ server: server.id, location: { name: "hel1" } });
    expect(region.backend.machines.get(server.id)?.spec.volumes).toEqual([volume.id]);
    const both = { name: "both", size: 10, location: "hel1", server: server.id };
    expect(await region.refusedFields("POST", "/volumes", both)).toEqual(["location"]);
  });

  test("is refused elsewhere, while something is under way, and beyond sixteen", async () => {
    const region = testApi();
    const far = await makeServer(region, "far", { location: "hel1" });
    const server = await makeServer(region, "s");
    const { id } = await makeVolume(region, "data");
    expect(await region.refusedFields(...attach(id, far.id))).toEqual(["server"]);
    const release = region.backend.hold("attachVolume");
    await region.call(...attach(id, server.id));
    expect(await region.refusal("POST", `/volumes/${id}/actions/detach`)).toBe("locked");
    release();
    await region.api.idle();
    for (let more = 2; more <= 16; more += 1)
      await makeVolume(region, `v${more}`, { location: undefined, server: server.id });
    const last = await makeVolume(region, "last");
    expect(await region.refusal(...attach(last.id, server.id))).toBe("resource_limit_exceeded");
  });
});

test("after a restart volumes are there before the servers that have them, and interrupted attachments are completed", async () => {
  const region = testApi();
  const server = await makeServer(region, "s");
  const { id } = await makeVolume(region, "data");
  region.backend.hold("attachVolume");
  await region.call(...attach(id, server.id));
  const after = testApi({ saved: region.api.snapshot() });
  expect(await after.api.resume()).toEqual([]);
  const { calls } = after.backend;
  expect(calls.indexOf(`putVolume(${id})`)).toBeLessThan(calls.indexOf(`createMachine(${server.id})`));
  expect(after.backend.machines.get(server.id)?.spec.volumes).toEqual([id]);
  expect((await after.get("/volumes/actions?status=running")).actions).toEqual([]);
});
