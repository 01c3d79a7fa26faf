/** What a person does by hand: API calls, apt, `docker swarm`. */
import { z } from "zod";
import {
  api,
  type Host,
  installResponderOn,
  type Region,
  responderImage,
  responderProgram,
} from "../../harness/src/index.js";

/** A server that somebody made. */
export interface Made {
  readonly name: string;
  readonly id: number;
  readonly publicIpv4: string;
  readonly publicIpv6: string;
  readonly privateIp: string;
  /** What Pulumi's SSH client asks for first. */
  readonly hostKey: string;
}

const serverSchema = z.object({
  server: z.object({
    id: z.number(),
    name: z.string(),
    public_net: z.object({ ipv4: z.object({ ip: z.string() }), ipv6: z.object({ ip: z.string() }) }),
    private_net: z.array(z.object({ ip: z.string() })),
  }),
});

export async function createServer(
  region: Region,
  name: string,
  sshKeyId: number,
  networkId: number,
): Promise<Omit<Made, "hostKey">> {
  const { server } = serverSchema.parse(
    await api(region, "POST", "/servers", {
      name,
      server_type: "cx23",
      image: "debian-13",
      location: "fsn1",
      ssh_keys: [sshKeyId],
      networks: [networkId],
      labels: { made: "by-hand" },
    }),
  );
  return await describeServer(region, server.id);
}

/** A server as the API tells it once its network is attached. */
export async function describeServer(region: Region, id: number): Promise<Omit<Made, "hostKey">> {
  for (;;) {
    const { server } = serverSchema.parse(await api(region, "GET", `/servers/${id}`));
    const [attached] = server.private_net;
    if (attached !== undefined)
      return {
        name: server.name,
        id: server.id,
        publicIpv4: server.public_net.ipv4.ip,
        publicIpv6: server.public_net.ipv6.ip.replace(/::\/64$/, "::1"),
        privateIp: attached.ip,
      };
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Debian's own Docker, and what the services below run. */
export async function installDocker(host: Host): Promise<void> {
  await host.ssh(`
    cloud-init status --wait >/dev/null || true
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update && apt-get install -y --no-install-recommends docker.io docker-cli; } >/var/log/by-hand.log 2>&1 ||
      { tail -5 /var/log/by-hand.log >&2; exit 1; }
    docker version >/dev/null`);
  await installResponderOn(host);
}

/** `docker swarm join` as a worker; `address` is what it advertises. */
export async function join(manager: Host, host: Host, remote: string, address: string): Promise<void> {
  const token = (await manager.ssh("docker swarm join-token --quiet worker")).trim();
  await host.ssh(`docker swarm join --token ${token} --advertise-addr ${address} ${remote}:2377 >/dev/null`);
}

/** A service with one task a node, on port 80 of every node. */
export async function startWeb(manager: Host, replicas: number): Promise<void> {
  await manager.ssh(
    `docker service create --quiet --no-resolve-image --name web --replicas ${replicas} --replicas-max-per-node 1 \\
       --publish 80:8000 ${responderImage} serve tcp:8000 >/dev/null`,
  );
}

/** Two ports that are open to everybody by mistake: a database in a container and a cache on the host. */
export async function openDatabase(host: Host): Promise<void> {
  await host.ssh(`
    docker run --detach --quiet --restart unless-stopped --name database -p 5432:5432 ${responderImage} serve tcp:5432 >/dev/null
    systemd-run --quiet --unit cache ${responderProgram} serve tcp:6379`);
}
export const mistakes = [5432, 6379] as const;
