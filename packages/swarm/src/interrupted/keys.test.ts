import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lookUpKey } from "./cloud";
import { fingerprintOf, takenKey } from "./keys";

// As `ssh-keygen -l -E md5` tells it.
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const fingerprint = "0f:a2:0a:d7:38:3e:65:45:08:6b:63:84:1c:ff:dc:ba";

describe("an SSH key's fingerprint", () => {
  it("is the key's, whatever its comment", () => {
    for (const text of [key, `${key} me@home`, `${key}\n`]) expect(fingerprintOf(text)).toBe(fingerprint);
  });

  it("is none of what is no key", () => {
    for (const text of ["", "ssh-ed25519", "nonsense", "ssh-ed25519 !!"]) expect(fingerprintOf(text)).toBeUndefined();
  });
});

describe("a key that a project has", () => {
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://localhost");
    asked.push(`${request.url} ${request.headers.authorization}`);
    const found = keys.filter((one) => one.fingerprint === searchParams.get("fingerprint"));
    response.statusCode = status;
    response.end(JSON.stringify({ ssh_keys: found }));
  });
  const keys = [{ id: 7, name: "laptop", fingerprint, labels: {} }];
  let asked: string[];
  let status: number;
  let endpoint: string;
  beforeEach(async () => {
    [asked, status] = [[], 200];
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => void server.close());

  it("is found by its fingerprint, whatever its name", async () => {
    expect(await lookUpKey({ token: "t", endpoint }, fingerprint)).toMatchObject({ id: 7, name: "laptop" });
    expect(await lookUpKey({ token: "t", endpoint }, "00:01")).toBeUndefined();
    expect(asked[0]).toBe(`/ssh_keys?fingerprint=${encodeURIComponent(fingerprint)} Bearer t`);
  });

  it("is not known where Hetzner Cloud does not say", async () => {
    status = 503;
    await expect(lookUpKey({ token: "t", endpoint }, fingerprint)).rejects.toThrow("Hetzner Cloud answers 503");
  });

  it("is named with its id and the argument that uses it", () => {
    expect(takenKey({ id: 7, name: "laptop" }, "prod")).toBe(
      "the SSH key cannot be added as prod: the project has it already, as laptop (id 7), and Hetzner Cloud takes a key once " +
        '(uniqueness_error). To use it as it is: give ssh: { existing: { id: "7" } }',
    );
  });
});
