import { describe, expect, test } from "vitest";
import { makeServer, PUBLIC_KEY, TOKEN, testApi } from "./testing/harness.js";

describe("authentication", () => {
  test.each([undefined, "", TOKEN, "Bearer ", `Bearer ${TOKEN}x`, `Basic ${TOKEN}`])(
    "%j is refused",
    async (header) => {
      const { api } = testApi();
      for (const url of ["/v1/servers", "/v1/nothing"]) {
        const response = await api.app.inject({ url, headers: header === undefined ? {} : { authorization: header } });
        expect(response.statusCode).toBe(401);
        expect(response.json()).toEqual({
          error: { code: "unauthorized", message: "unable to authenticate", details: null },
        });
      }
    },
  );
});

describe("every answer", () => {
  const authorization = `Bearer ${TOKEN}`;

  test("carries the rate limit, which refills by one each second", async () => {
    const { api, tick } = testApi();
    const remaining = async () => {
      const { headers } = await api.app.inject({ url: "/v1/locations", headers: { authorization } });
      expect(headers["ratelimit-limit"]).toBe("3600");
      expect(Number(headers["ratelimit-reset"])).toBeGreaterThanOrEqual(Date.parse("2026-06-01T12:00:00Z") / 1000);
      return Number(headers["ratelimit-remaining"]);
    };
    expect(await remaining()).toBe(3599);
    expect(await remaining()).toBe(3598);
    tick(1000);
    expect(await remaining()).toBe(3598);
    tick(3_600_000);
    expect(await remaining()).toBe(3599);
  });

  test("to a broken body is json_error, to a wrong one invalid_input with its fields", async () => {
    const { api, refusedFields, call } = testApi();
    const headers = { authorization, "content-type": "application/json" };
    const broken = await api.app.inject({ method: "POST", url: "/v1/ssh_keys", headers, payload: "{" });
    expect([broken.statusCode, broken.json().error.code]).toEqual([400, "json_error"]);
    expect(await refusedFields("POST", "/ssh_keys", { name: 1, labels: { "-": "x" } })).toEqual([
      "name",
      "public_key",
      "labels.-",
    ]);
    const { status, body } = await call("POST", "/ssh_keys", { name: "", public_key: PUBLIC_KEY });
    expect(status).toBe(422);
    expect(body.error.message).toBe("invalid input in field 'name'");
    expect(body.error.details.fields[0].messages).toHaveLength(1);
  });

  test("to something unknown is not_found", async () => {
    const { call, refusedFields } = testApi();
    expect((await call("GET", "/servers/1")).body.error).toMatchObject({ code: "not_found" });
    const volumes = await call("POST", "/floating_ips", { name: "v" });
    expect(volumes.status).toBe(404);
    expect(volumes.body.error.message).toContain("does not offer POST /v1/floating_ips");
    expect(await refusedFields("GET", "/servers/abc")).toEqual(["id"]);
  });

  test("to a request that breaks the region is server_error", async () => {
    const { backend, call } = testApi();
    backend.failNext("putNetwork", "no such device");
    const { status, body } = await call("POST", "/networks", { name: "n", ip_range: "10.0.0.0/16" });
    expect(status).toBe(500);
    expect(body.error).toMatchObject({ code: "server_error", message: "no such device" });
    expect((await call("GET", "/networks")).body.networks).toEqual([]);
  });
});

describe("lists", () => {
  async function withKeys(count: number) {
    const region = testApi();
    for (let index = 1; index <= count; index += 1) {
      const blob = Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from("ssh-ed25519"), Buffer.alloc(36, index)]);
      const labels = { parity: index % 2 === 0 ? "even" : "odd" };
      const name = `key-${String(count - index).padStart(2, "0")}`;
      await region.make("POST", "/ssh_keys", { name, public_key: `ssh-ed25519 ${blob.toString("base64")}`, labels });
      region.tick(1000);
    }
    const names = async (query: string) =>
      (await region.get(`/ssh_keys${query}`)).ssh_keys.map((key: { name: string }) => key.name);
    return { ...region, names };
  }

  test("come in pages that say where they are", async () => {
    const { get } = await withKeys(7);
    const second = await get("/ssh_keys?page=2&per_page=3");
    expect(second.ssh_keys).toHaveLength(3);
    expect(second.meta.pagination).toEqual({
      page: 2,
      per_page: 3,
      previous_page: 1,
      next_page: 3,
      last_page: 3,
      total_entries: 7,
    });
    expect((await get("/ssh_keys?page=3&per_page=3")).meta.pagination.next_page).toBeNull();
    expect((await get("/ssh_keys?page=9")).ssh_keys).toEqual([]);
    expect((await get("/ssh_keys?per_page=1000")).meta.pagination.per_page).toBe(50);
    expect((await get("/ssh_keys")).meta.pagination.per_page).toBe(25);
  });

  test("are filtered and sorted", async () => {
    const { names, refusedFields, get } = await withKeys(4);
    expect(await names("")).toEqual(["key-03", "key-02", "key-01", "key-00"]);
    expect(await names("?sort=name")).toEqual(["key-00", "key-01", "key-02", "key-03"]);
    expect(await names("?sort=created:desc")).toEqual(["key-00", "key-01", "key-02", "key-03"]);
    expect(await names("?label_selector=parity%3Deven&sort=name:desc")).toEqual(["key-02", "key-00"]);
    expect(await names("?name=key-02")).toEqual(["key-02"]);
    const [key] = (await get("/ssh_keys")).ssh_keys;
    expect(await names(`?fingerprint=${encodeURIComponent(key.fingerprint)}`)).toEqual([key.name]);
    expect(await refusedFields("GET", "/ssh_keys?page=0")).toEqual(["page"]);
    expect(await refusedFields("GET", "/ssh_keys?label_selector=a%20b")).toEqual(["label_selector"]);
  });
});

describe("SSH keys", () => {
  test("have the fingerprint that ssh-keygen -E md5 prints", async () => {
    const { make } = testApi();
    const { ssh_key } = await make("POST", "/ssh_keys", { name: "k", public_key: PUBLIC_KEY });
    expect(ssh_key).toMatchObject({
      fingerprint: "5c:c0:cf:3e:dc:af:5b:4d:bb:e3:4e:af:a9:e1:61:b1",
      public_key: PUBLIC_KEY,
      labels: {},
    });
  });

  test("are unique by name and by key, and can be renamed and deleted", async () => {
    const { make, refusal, get, call } = testApi();
    const { ssh_key } = await make("POST", "/ssh_keys", { name: "k", public_key: PUBLIC_KEY });
    const other = `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from("ssh-ed25519"), Buffer.alloc(36)]).toString("base64")}`;
    expect(await refusal("POST", "/ssh_keys", { name: "k", public_key: other })).toBe("uniqueness_error");
    const again = PUBLIC_KEY.replace("someone@example", "other comment");
    expect(await refusal("POST", "/ssh_keys", { name: "k2", public_key: again })).toBe("uniqueness_error");
    await make("POST", "/ssh_keys", { name: "k2", public_key: other });
    expect(await refusal("PUT", `/ssh_keys/${ssh_key.id}`, { name: "k2" })).toBe("uniqueness_error");
    await make("PUT", `/ssh_keys/${ssh_key.id}`, { name: "k", labels: { a: "b" } });
    await make("PUT", `/ssh_keys/${ssh_key.id}`, { name: "k3" });
    expect((await get(`/ssh_keys/${ssh_key.id}`)).ssh_key).toMatchObject({ name: "k3", labels: { a: "b" } });
    expect((await call("DELETE", `/ssh_keys/${ssh_key.id}`)).status).toBe(204);
    expect(await refusal("GET", `/ssh_keys/${ssh_key.id}`)).toBe("not_found");
  });

  test.each([
    "",
    "ssh-ed25519",
    "ssh-ed25519 AAAA",
    "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ4lqLZc2vY9BqNn3ZP3p3J0Zl3K3GqLw0kq1W1n0p0R",
    `${PUBLIC_KEY}\n${PUBLIC_KEY}`,
    "-----BEGIN OPENSSH PRIVATE KEY-----",
  ])("%j is no public key", async (public_key) => {
    expect(await testApi().refusedFields("POST", "/ssh_keys", { name: "k", public_key })).toEqual(["public_key"]);
  });
});

describe("the catalog", () => {
  test("offers the backend's images by name and architecture", async () => {
    const { get } = testApi();
    const all = (await get("/images")).images;
    expect(all.map((image: { name: string }) => image.name)).toEqual(["debian-12", "debian-13"]);
    const [image] = (await get("/images?name=debian-13&architecture=x86")).images;
    expect(image).toMatchObject({ type: "system", os_flavor: "debian", os_version: "13", architecture: "x86" });
    expect((await get(`/images/${image.id}`)).image).toEqual(image);
    expect((await get("/images?name=debian-13&architecture=arm")).images).toEqual([]);
    expect((await get("/images?type=snapshot&type=backup")).images).toEqual([]);
  });

  test("knows today's server types and which are gone", async () => {
    const { get } = testApi();
    const type = async (name: string) => (await get(`/server_types?name=${name}`)).server_types[0];
    expect(await type("cx23")).toMatchObject({ cores: 2, memory: 4, disk: 40, deprecation: null, architecture: "x86" });
    expect(await type("cax11")).toMatchObject({ architecture: "arm" });
    expect((await type("cx22")).deprecation.unavailable_after).toBe("2025-12-31T23:59:59+00:00");
    const old = await type("cpx11");
    expect(old.deprecation).toBeNull();
    const gone = old.locations.filter((place: { deprecation: unknown }) => place.deprecation !== null);
    expect(gone.map((place: { name: string }) => place.name)).toEqual(["fsn1", "nbg1", "hel1", "sin"]);
    const { datacenter } = await get("/datacenters/4");
    const { supported, available } = datacenter.server_types;
    expect([supported.includes(104), available.includes(104), available.includes(114)]).toEqual([true, false, true]);
  });

  test("has six locations in four network zones", async () => {
    const { get } = testApi();
    const { locations } = await get("/locations");
    expect(locations).toHaveLength(6);
    expect(new Set(locations.map((place: { network_zone: string }) => place.network_zone)).size).toBe(4);
    expect((await get("/locations?name=fsn1")).locations[0]).toMatchObject({ id: 1, network_zone: "eu-central" });
    expect((await get("/datacenters")).recommendation).toBe(2);
    expect((await get("/isos")).isos).toEqual([]);
    expect((await get("/pricing")).pricing.currency).toBe("EUR");
  });
});

describe("faults", () => {
  test("answer an operation as often as asked, then no more", async () => {
    const { api, refusal, make } = testApi();
    api.setFault({ kind: "error", operation: "POST /ssh_keys", code: "conflict", message: "busy", times: 2 });
    const key = { name: "k", public_key: PUBLIC_KEY };
    expect(await refusal("POST", "/ssh_keys", key)).toBe("conflict");
    expect(await refusal("POST", "/ssh_keys", key)).toBe("conflict");
    await make("POST", "/ssh_keys", key);
  });

  test("make server types unavailable until they are cleared", async () => {
    const region = testApi();
    region.api.setFault({ kind: "unavailable", serverType: "cx23", location: "fsn1" });
    const { status, body } = await region.call("POST", "/servers", {
      name: "s",
      server_type: "cx23",
      image: "debian-13",
      location: "fsn1",
    });
    expect([status, body.error.code, body.error.message]).toEqual([
      412,
      "resource_unavailable",
      "error during placement",
    ]);
    expect((await makeServer(region, "elsewhere", { location: "nbg1" })).location.name).toBe("nbg1");
    expect((await makeServer(region, "anywhere", { location: undefined })).location.name).toBe("nbg1");
    region.api.setFault({ kind: "unavailable" });
    expect(await region.refusal("POST", "/servers", { name: "t", server_type: "cpx22", image: "debian-13" })).toBe(
      "resource_unavailable",
    );
    region.api.clearFaults();
    expect((await makeServer(region, "s")).location.name).toBe("fsn1");
  });

  test("are refused when malformed, and an unknown code is", () => {
    const { api } = testApi();
    expect(() => api.setFault({ kind: "error", operation: "GET /servers", code: "nope", message: "" })).toThrow("code");
    expect(() => api.setFault(undefined)).toThrow("invalid input");
  });
});

test("the recorder sees refusals too", async () => {
  const { exchanges, call, api } = testApi();
  await call("GET", "/servers/7?x=1");
  expect(exchanges.at(-1)).toMatchObject({
    method: "GET",
    route: "/servers/{id}",
    path: "/v1/servers/7?x=1",
    status: 404,
  });
  await call("DELETE", "/nothing");
  expect(exchanges.at(-1)).toMatchObject({ route: undefined, status: 404 });
  await api.app.inject({ url: "/v1/servers" });
  expect(exchanges.at(-1)).toMatchObject({ status: 401, route: "/servers" });
});
