import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hangs, lateDate, shortTimeout } from "../testing/silentDocker";
import { type InitStep, type JoinStep, membershipProgram } from "./script";

/** A node's Docker, played by a few files in a directory: state, control, addr, cluster, error, ingress, services. */
const fakes: Record<string, string> = {
  timeout: shortTimeout,
  date: lateDate(),
  docker: `echo "docker $*" >>"$FAKE/calls"
${hangs}
# As where "timeout" cut it off, once.
if [ -s "$FAKE/late" ] && printf '%s\\n' "$*" | grep -Eqf "$FAKE/late"; then rm "$FAKE/late"; exit 124; fi
read_() { cat "$FAKE/$1" 2>/dev/null || true; }
case "$*" in
*LocalNodeState*) read_ state ;;
*ControlAvailable*) read_ control ;;
*NodeAddr*) read_ addr ;;
*NodeID*) echo node-1 ;;
*AutoLock*) echo false ;;
*'with .Labels'*) ;;
*Swarm.Error*) read_ error ;;
*DockerRootDir*) echo "$FAKE" ;;
'network inspect'*) [ -e "$FAKE/ingress" ] || exit 1; read_ ingress ;;
'service ls'*) read_ services ;;
'swarm join-token'*) echo "SWMTKN-1-ca-$4" ;;
*) echo "unexpected: docker $*" >&2; exit 99 ;;
esac`,
  curl: `echo "curl $*" >>"$FAKE/calls"
method= out= url=
while [ $# -gt 0 ]; do
  case $1 in -X) method=$2; shift ;; -o) out=$2; shift ;; http*) url=$1 ;; esac
  shift
done
# A peer's port: PEER.PORT holds "time status" of what curl would say; who is not known does not answer.
case $url in http://10.*)
  address=\${url#http://}; address=\${address%/}
  read -r connected code 2>/dev/null <"$FAKE/dial-$address" || { connected=0.000000; code=28; }
  printf '%s' "$connected"; exit "$code" ;;
esac
sent=$(cat)
echo "$method $url $sent" >>"$FAKE/requests"
status=200
case "$method $url" in
*/swarm/init) echo active >"$FAKE/state"; echo true >"$FAKE/control"; cat "$FAKE/next-addr" >"$FAKE/addr"; echo swarm-new >"$FAKE/cluster"; : >"$FAKE/ingress" ;;
*/swarm/leave*) echo inactive >"$FAKE/state" ;;
*/swarm/join) if [ -e "$FAKE/refuse" ] && echo "$sent" | grep -q "$(cat "$FAKE/refuse")"; then status=500; echo '{"message":"invalid join token"}' >"$out"
  elif [ -s "$FAKE/slow" ]; then sed -i 1d "$FAKE/slow"; echo error >"$FAKE/state"; echo 'context deadline exceeded' >"$FAKE/error"
  else echo active >"$FAKE/state"; cat "$FAKE/next-control" >"$FAKE/control"; cat "$FAKE/next-addr" >"$FAKE/addr"; echo swarm-1 >"$FAKE/cluster"; fi ;;
*DELETE*) rm -f "$FAKE/ingress"; status=204 ;;
*/networks/create) if [ -e "$FAKE/busy" ]; then rm "$FAKE/busy"; status=409; else echo 1450 >"$FAKE/ingress"; status=201; fi ;;
esac
printf '%s' "$status"`,
  openssl: `sed 's/^/    organizationName          = /' "$FAKE/cluster"`,
  mktemp: `: >"$FAKE/answer"; echo "$FAKE/answer"`,
  sleep: ":",
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "membership-"));
  for (const [name, body] of Object.entries(fakes)) {
    writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(dir, name), 0o755);
  }
  set({ state: "inactive", control: "false" });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function set(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text === "" ? "" : `${text}\n`);
}
const read = (name: string) => (existsSync(join(dir, name)) ? readFileSync(join(dir, name), "utf8") : "");

function run(step: InitStep | JoinStep) {
  const program = `${membershipProgram(step).replaceAll("/etc/hcloud-iptables", dir)}
printf '%s %s %s %s\\n' "$members_swarm_id" "$members_node_id" "\${members_worker_token-none}" "\${members_manager_token-none}"
`;
  const { status, stdout, stderr } = spawnSync("sh", ["-s"], {
    input: program,
    encoding: "utf8",
    env: { ...process.env, PATH: `${dir}:${process.env.PATH}`, FAKE: dir },
  });
  return { status, stdout, stderr };
}

/** Paths of the Engine API that were asked, of those that begin so. */
const asked = (path: string) => {
  const paths = [...read("requests").matchAll(/^\w+ http:\/\/localhost(\S+)/gm)].map(([, found]) => found ?? "");
  return paths.filter((found) => found.startsWith(path));
};

const init: InitStep = {
  action: "init",
  privateIp: "10.0.0.2",
  tells: { joinTokenRotation: 0, autolock: false },
  overlay: { addressPool: "10.128.0.0/9", underlayMtu: 1450 },
  waitSeconds: 3,
};
const token = "SWMTKN-1-ca-secret";
const join_: JoinStep = {
  action: "join",
  privateIp: "10.0.0.3",
  swarmId: "swarm-1",
  joinToken: token,
  waitSeconds: 3,
};

describe("init", () => {
  it("starts a swarm on the private address and replaces the ingress network by one that fits", () => {
    set({ "next-addr": "10.0.0.2", busy: "" });
    expect(run(init)).toEqual({
      status: 0,
      stdout: "swarm-new node-1 SWMTKN-1-ca-worker SWMTKN-1-ca-manager\n",
      stderr: "",
    });
    const requests = read("requests").trim().split("\n");
    expect(requests.map((r) => r.split(" ", 2).join(" "))).toEqual([
      "POST http://localhost/swarm/init",
      "DELETE http://localhost/networks/ingress",
      "POST http://localhost/networks/create",
      "POST http://localhost/networks/create",
    ]);
    expect(JSON.parse(requests[0]?.split(" ").slice(2).join(" ") ?? "")).toEqual({
      ListenAddr: "10.0.0.2:2377",
      AdvertiseAddr: "10.0.0.2",
      DataPathAddr: "10.0.0.2",
      DefaultAddrPool: ["10.128.0.0/9"],
      SubnetSize: 24,
    });
    expect(JSON.parse(requests[3]?.split(" ").slice(2).join(" ") ?? "")).toMatchObject({
      Name: "ingress",
      Ingress: true,
      Options: { "com.docker.network.driver.mtu": "1450" },
    });
  });

  it("recognizes a swarm that is there and never starts a second one", () => {
    set({ state: "active", control: "true", addr: "10.0.0.2", cluster: "swarm-1", ingress: "1450" });
    expect(run(init)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^swarm-1 node-1 SWMTKN/) });
    expect(read("requests")).toBe("");
  });

  it("finishes what an interrupted first run began: no ingress network", () => {
    set({ state: "active", control: "true", addr: "10.0.0.2", cluster: "swarm-1" });
    expect(run(init).status).toBe(0);
    expect(read("ingress")).toBe("1450\n");
  });

  it("leaves the ingress network of a swarm that serves", () => {
    set({ state: "active", control: "true", addr: "10.0.0.2", cluster: "swarm-1", ingress: "", services: "abc" });
    expect(run(init).status).toBe(0);
    expect(read("requests")).toBe("");
  });

  it("fails on a node that advertises another address", () => {
    set({ state: "active", control: "true", addr: "203.0.113.9", cluster: "swarm-1" });
    expect(run(init)).toMatchObject({ status: 1, stderr: expect.stringMatching(/advertises 203\.0\.113\.9/) });
  });

  it("starts no second swarm on a node that was taken out of one: a peer manages it", () => {
    set({ peers: "10.0.0.7\n10.0.0.8", "dial-10.0.0.7:2377": "0.000000 7", "dial-10.0.0.8:2377": "0.000412 52" });
    expect(run(init)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/in no swarm and 10\.0\.0\.8 manages one.*Raise the node's 'replacement'/),
    });
    expect(read("requests")).toBe("");
  });

  it.each([
    ["error", "'error' (why)"],
    ["locked", "run 'docker swarm unlock' on it"],
  ])("does not touch a swarm whose state is %s", (state, message) => {
    set({ state, error: "why" });
    // It was a member once: what Docker says is not of its first try.
    mkdirSync(join(dir, "swarm/certificates"), { recursive: true });
    set({ "swarm/certificates/swarm-node.crt": "a certificate" });
    const done = run(init);
    expect(done).toMatchObject({ status: 1, stderr: expect.stringContaining(message) });
    expect(read("requests")).toBe("");
  });
});

const open = "0.000412 52";
const closed = "0.000000 7";
/** Two managers and a worker, which all let the node in. */
const peers = {
  peers: "10.0.0.2\n10.0.0.4\n10.0.0.5",
  "dial-10.0.0.2:7946": open,
  "dial-10.0.0.4:7946": open,
  "dial-10.0.0.5:7946": closed,
  "dial-10.0.0.2:2377": open,
  "dial-10.0.0.4:2377": open,
  "dial-10.0.0.5:2377": closed,
};

describe("a Docker that does not answer", () => {
  it.each([
    ["anything", "waiting for Docker to answer: not within 1 s"],
    ["info", "waiting for Docker to answer: not within 1 s"],
    ["DockerRootDir", "Docker to answer: not within 1 s; local state: active"],
    ["LocalNodeState", "waiting for Docker to tell the LocalNodeState of its swarm: not within 1 s"],
    ["NodeID", "waiting for Docker to tell the NodeID of its swarm: not within 1 s"],
    ["NodeAddr", "waiting for Docker to tell the NodeAddr of its swarm: not within 1 s"],
    ["ControlAvailable", "waiting for Docker to tell the ControlAvailable of its swarm: not within 1 s"],
    ["service ls", "waiting for the list of services: not within 1 s"],
    ["swarm join-token", "waiting for the join tokens: not within 1 s"],
  ])("ends the step that asks it for %s", (requests, message) => {
    set({ state: "active", control: "true", addr: "10.0.0.2", cluster: "swarm-1", ingress: "1450" });
    set({ hangs: requests === "anything" ? "." : requests });
    expect(run({ ...init, waitSeconds: 1 })).toMatchObject({
      status: expect.toSatisfy(Boolean),
      stderr: expect.stringContaining(message),
    });
    expect(read("requests")).toBe("");
  });

  it.each([
    "DockerRootDir",
    "LocalNodeState",
    "NodeID",
    "NodeAddr",
    "ControlAvailable",
    "service ls",
    "swarm join-token",
  ])("is asked again for %s, whose first request it took no notice of", (request) => {
    set({ state: "active", control: "true", addr: "10.0.0.2", cluster: "swarm-1", late: request });
    expect(run(init)).toMatchObject({
      status: 0,
      stdout: "swarm-1 node-1 SWMTKN-1-ca-worker SWMTKN-1-ca-manager\n",
    });
    expect(existsSync(join(dir, "late"))).toBe(false);
  });

  it("is not waited for over its socket either", () => {
    set({ ...peers, "next-addr": "10.0.0.3", "next-control": "false" });
    run(join_);
    const requests = read("calls")
      .split("\n")
      .filter((call) => call.startsWith("curl "));
    expect(requests.filter((call) => call.includes("docker.sock"))).not.toEqual([]);
    expect(requests.filter((call) => !call.includes(" --max-time "))).toEqual([]);
  });
});

describe("join", () => {
  it("joins with the token on standard input, in no process's arguments", () => {
    set({ ...peers, "next-addr": "10.0.0.3", "next-control": "false" });
    expect(run(join_)).toEqual({ status: 0, stdout: "swarm-1 node-1 none none\n", stderr: "" });
    expect(read("requests")).toContain(`"RemoteAddrs":["10.0.0.2:2377"],"JoinToken":"${token}"`);
    expect(read("calls")).not.toContain(token);
  });

  it("asks the next manager when one refuses, and depends on none", () => {
    set({ ...peers, refuse: "10.0.0.2:", "next-addr": "10.0.0.3", "next-control": "false" });
    const done = run(join_);
    expect(done).toMatchObject({ status: 0, stdout: "swarm-1 node-1 none none\n" });
    expect(done.stderr).toMatch(/10\.0\.0\.2 did not take this node in \(500\)/);
    expect(read("requests")).toContain('"RemoteAddrs":["10.0.0.4:2377"]');
  });

  it("waits until every peer lets it in, but not for ever", () => {
    set({ ...peers, "next-addr": "10.0.0.3", "next-control": "false", "dial-10.0.0.5:7946": "0.000000 28" });
    const done = run({ ...join_, waitSeconds: 8 });
    expect(done).toMatchObject({ status: 0, stdout: "swarm-1 node-1 none none\n" });
    expect(done.stderr).toMatch(/do not let this one in after 8 s, or are not there: 10\.0\.0\.5/);
    expect(read("calls").match(/http:\/\/10\.0\.0\.5:7946/g)?.length).toBeGreaterThan(1);
  });

  it("says so when no peer is a manager", () => {
    set({ ...peers, "dial-10.0.0.2:2377": closed, "dial-10.0.0.4:2377": closed });
    expect(run(join_)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/a manager of the swarm among the peers: not/),
    });
  });

  it("leaves a member as it is, whatever its role", () => {
    for (const control of ["false", "true"]) {
      set({ state: "active", control, addr: "10.0.0.3", cluster: "swarm-1" });
      expect(run(join_)).toMatchObject({ status: 0, stdout: "swarm-1 node-1 none none\n" });
    }
    expect(run({ ...join_, tells: { joinTokenRotation: 0, autolock: false } }).stdout).toMatch(
      / SWMTKN-1-ca-worker SWMTKN-1-ca-manager$/m,
    );
    expect(read("requests")).toBe("");
  });

  it("refuses a node of another swarm", () => {
    set({ state: "active", control: "false", addr: "10.0.0.3", cluster: "swarm-2" });
    expect(run(join_)).toMatchObject({ status: 1, stderr: expect.stringMatching(/in swarm swarm-2, not in swarm-1/) });
  });

  it("says why the managers refused, without the token", () => {
    set({ ...peers, refuse: "2377" });
    const done = run(join_);
    expect(done).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/\(500\).*invalid join token.*no manager took this node in/s),
    });
    expect(done.stderr).not.toContain(token);
  });

  it("waits for a membership that comes late, but not for ever", () => {
    set({ state: "pending", error: "connection refused" });
    const done = run(join_);
    expect(done).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /waiting to become a member of the swarm: not within 3 s; local state: pending connection refused/,
      ),
    });
  });

  it("begins again, once, when the managers were too slow: Docker has given the join up", () => {
    set({ ...peers, "next-addr": "10.0.0.3", "next-control": "false", slow: "once" });
    expect(run(join_)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("did not get in (context deadline exceeded): it begins again"),
    });
    expect(asked("/swarm/")).toEqual(["/swarm/join", "/swarm/leave?force=1", "/swarm/join"]);
  });

  it("begins no third time", () => {
    set({ ...peers, "next-addr": "10.0.0.3", "next-control": "false", slow: "once\ntwice\nthrice" });
    expect(run(join_)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("once more: not within 3 s; local state: error context deadline exceeded"),
    });
    expect(asked("/swarm/join")).toHaveLength(2);
  });

  it("begins again where an earlier step left it so", () => {
    set({ ...peers, "next-addr": "10.0.0.3", "next-control": "false", state: "error", error: "deadline" });
    expect(run(join_).status).toBe(0);
    expect(asked("/swarm/")).toEqual(["/swarm/leave?force=1", "/swarm/join"]);
  });

  it("removes the file that held the engine's answers", () => {
    set({ ...peers, refuse: "2377" });
    run(join_);
    expect(existsSync(join(dir, "answer"))).toBe(false);
  });
});

it("takes any value as data, not as shell", () => {
  set({ ...peers, "next-addr": "10.0.0.3", "next-control": "false" });
  const done = run({ ...join_, joinToken: `x'; touch "$FAKE/pwned"; '$(touch "$FAKE/pwned")` });
  expect(done.status).toBe(0);
  expect(existsSync(join(dir, "pwned"))).toBe(false);
});
