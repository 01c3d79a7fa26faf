/** The commands of docs/operations.md for who is locked out, as they stand there, on a host that is a network namespace. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { agentBench, missing, payloadFor } from "./testing/agentBench";

const page = readFileSync(join(__dirname, "..", "..", "..", "..", "docs", "operations.md"), "utf8");
/** The one command of the page that has this in it. */
const commandWith = (part: string) => {
  const lines = page.split("\n").filter((line) => line.includes(part) && /^ *(sed|\/opt)/.test(line));
  expect(lines).toHaveLength(1);
  return lines[0]?.trim() ?? "";
};

describe.skipIf(missing.length > 0)(`the page on operations (needs ${missing.join(", ") || "nothing more"})`, () => {
  const { home, script, inside, agent, chain, checks } = agentBench();
  const run = (command: string) => {
    const here = command
      .replaceAll("/opt/hcloud-iptables.sh", `sh ${script}`)
      .replaceAll(/\/(etc|var\/lib)\/hcloud-iptables/g, (path) => join(home, "root", path));
    return inside("sh", ["-c", here]);
  };
  const office = payloadFor({ ssh: { sources: ["198.51.100.0/24"] } });

  it("opens SSH to everybody and nothing else, until the next policy", () => {
    agent(["apply"], office);
    const before = ["HC-IN", "HC-FWD"].map((name) => chain(name));
    expect(chain("HC-IN")).not.toMatch(/^-A HC-IN -p tcp -m tcp --dport 22 -j RETURN$/m);
    const opened = run(commandWith("BELTIN"));
    expect([opened.status, opened.stderr]).toEqual([0, expect.stringContaining("applied ")]);
    const added = "-A HC-IN -p tcp -m tcp --dport 22 -j RETURN\n";
    expect(chain("HC-IN").split(added)).toHaveLength(2);
    expect([chain("HC-IN").replace(added, ""), chain("HC-FWD")]).toEqual(before);
    expect(inside("iptables-nft", ["-t", "mangle", "-S", "HC-BELTIN"]).stdout).toMatch(
      /--dport 22 -j RETURN\n-A HC-BELTIN -j DROP/,
    );
    expect(inside("ip6tables-nft", ["-S", "HC-IN"]).stdout).toMatch(/--dport 22 -j RETURN\n-A HC-IN -j DROP/);
    expect(checks().passed).toBe(true);
    agent(["apply", "--probation", "60"], office);
    expect(["HC-IN", "HC-FWD"].map((name) => chain(name))).toEqual(before);
  });

  it("applies what was sent last", () => {
    agent(["apply"], office);
    inside(
      "sh",
      ["-c", `cat >${join(home, "root/var/lib/hcloud-iptables/sent")}`],
      payloadFor({ publishedPorts: [{ port: 8443 }] }),
    );
    expect(run(commandWith("/sent")).status).toBe(0);
    expect(chain("HC-FWD")).toContain("8443");
    expect(agent(["status", "--json"]).stdout).toContain('"probation":false');
  });
});
