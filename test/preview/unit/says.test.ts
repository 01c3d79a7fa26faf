/** What each report must say; golden files are easily taken over without being read. */
import { expect, it } from "vitest";
import { goldenOf, readGolden, readLog } from "../src/recorded.js";

const says: Record<string, readonly (string | RegExp)[]> = {
  "first-creation": [
    "**Opens ports to the world.** 41 to create",
    /opens to the world\*\* \| `tcp` \| `443` \| IPv4, IPv6 \| `closed` \| `anywhere` \*\*world\*\*.*demo-worker-2` \(5\)/,
    /new hosts \| runs \| .*demo-manager-1-bootstrap/,
  ],
  "port-opened": [
    "**Opens ports to the world.** 19 to update",
    /opens to the world\*\* \| `tcp` \| `8443` \| IPv4, IPv6 \| `closed` \| `anywhere` \*\*world\*\*.*demo-worker-2` \(5\)/,
    /live hosts\*\* \| runs again \|.*demo-worker-1-policy/,
  ],
  "sources-narrowed": [
    "**Changes exposure.**",
    /narrows \| `tcp` \| `443` \| IPv4 \| `anywhere` \*\*world\*\* \| `192\.0\.2\.0\/24`/,
    /closes \| `tcp` SSH \| `22` \| IPv6 \| `anywhere` \*\*world\*\* \| `closed`/,
    "none stops this change",
  ],
  "node-removed": [
    "**Dangerous changes.**",
    /\*\*Server deleted\*\*.*`demo-worker-1`/,
    /closes.*`443`.*`demo-worker-1`/,
  ],
  "manager-replaced": [
    "**Dangerous changes.**",
    /\*\*Server replaced\*\*.*replaced by demo-manager-2-r1.*`demo-manager-2`/,
    "1 of 3 goes or stops in this update",
    /image.*debian-12.*`demo-manager-2-r1`/,
  ],
  "managers-too-few": [
    /\*\*Quorum\*\*.*2 of 3 managers go or stop in one update: 1 stay, 2 are needed/,
    /\*\*Server deleted\*\*.*`demo-manager-2, demo-manager-3`/,
  ],
  "server-type-changed": [/\*\*Power-off or restart\*\*.*cx23 to cx33.*demo-worker-1, demo-worker-2/],
  "nothing-changed": ["**No changes.** 41 unchanged", "none stops this change"],
  "user-data-changed": [
    /\*\*Server replaced\*\*.*because of userData.*`web-1`/,
    /`web-1` \| 4 lines \| 5 lines \| `runcmd, users`/,
  ],
  adoption: [
    /open to the world\*\* \| `tcp` \| `443` \| IPv4, IPv6 \| `unknown`/,
    /closes \| `any` \| all .*`unknown` \| `closed`/,
    "**live hosts** | runs | `old-agent, old-policy, old-verification` (3)",
  ],
  "plain-creation": [/opens \| `tcp` SSH \| `22` \| IPv4 \| `closed` \| `192\.0\.2\.0\/24`/, "packages, runcmd"],
  "plain-opened": [
    "**Dangerous changes.**",
    "Gate ssh-world stops",
    "Gate docker-ports stops",
    /Protection lost.*deleteProtection, rebuildProtection.*`web-1`/,
    /Data or address lost.*primary IP address is deleted.*`shop`/,
    /opens \| `tcp` \| `2375` \| IPv4 \| `closed` \| `198\.51\.100\.7\/32`/,
  ],
  "port-unreadable": ["cannot be read; shown as all ports", "Gate unknown-exposure stops", "Gate ssh-world stops"],
  failed: [
    "**The preview failed.** Seen so far",
    "given pool proxy; allowed: pools manager, worker",
    "not the whole (exit code 4)",
  ],
  "failed-by-provider": ["**The preview failed.** Seen so far", "not-a-network", "not the whole (exit code 4)"],
  secrets: ["[secret]", /closed.*`anywhere` \*\*world\*\*/],
  "secrets-refused": ["[secret]", "**The preview failed.**"],
  "hundred-nodes": [
    "**Dangerous changes.**",
    /\*\*Server deleted\*\*.*demo-worker-84 … demo-worker-93/,
    /\*\*Server replaced\*\*.*replaced by demo-manager-7-r1.*`demo-manager-7`/,
    /\*\*Power-off or restart\*\*.*cx23 to cx33.*demo-worker-1 … demo-worker-83/,
    /opens to the world\*\* \| `tcp` \| `8443`.*demo-manager-1 … demo-manager-7, demo-worker-1 … demo-worker-83` \(90\)/,
    /opens \| `tcp` \| `9000` \| IPv4 \| `closed` \| `192\.0\.2\.0\/24` \| `demo-worker-1 … demo-worker-83` \(83\)/,
    /closes.*`443`.*demo-worker-84 … demo-worker-93` \(10\)/,
  ],
  "hundred-nodes-creation": [
    "**Opens ports to the world.**",
    /opens to the world\*\* \| `tcp` \| `443`.*demo-manager-1 … demo-manager-7, demo-worker-1 … demo-worker-93` \(100\)/,
  ],
};

it.each(Object.entries(says))("reports of %s what a reviewer must see", (name, wanted) => {
  const markdown = readGolden(name, "md");
  for (const text of wanted) expect(markdown).toMatch(text);
});

it.each(["hundred-nodes", "hundred-nodes-creation"])(
  "keeps a real preview of a hundred nodes within a comment and a second of work: %s",
  async (name) => {
    const log = readLog(name);
    // Of the processor, so that a busy machine does not fail it.
    const started = process.cpuUsage();
    const { md } = await goldenOf(log);
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1e6).toBeLessThan(1);
    expect(md.length).toBeLessThan(60_000);
    expect(md).not.toContain("Cut to fit");
  },
);
