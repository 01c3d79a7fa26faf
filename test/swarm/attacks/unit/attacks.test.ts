import { describe, expect, test } from "vitest";
import { attacks } from "../attacks.js";
import { columns, type Seen } from "../types.js";
import { markdown, packetCell, problems } from "../verdicts.js";

/** The attack list of the firewall's reference; `verifier-mutation` is a suite of its own, test/swarm/mutations. */
const names = `udp-publish, udp-high-port, sctp-publish, run-remap-8080-80, run-443-to-8081-allowed, host-mode-8080-80,
  ingress-8080-80, ingress-udp, host-network-listener, v6-docker-proxy, v6-native-bridge, v6-ingress, v6-ndp-survives,
  vxlan-inject-public, vxlan-inject-private-nonpeer, vxlan-inject-from-container, vxlan-cleartext-encrypted-vni,
  vxlan-spoofed-peer-src, esp-peer-works, 2377-7946-public, 2377-on-worker, direct-route-container-ip, loopback-publish-l2,
  public-ip-via-private-nic, metadata-from-bridge, metadata-from-overlay, metadata-from-hostnet, container-to-host-ssh,
  egress-to-same-port-number, egress-dns-udp, icc-works, custom-bridge-name, preexisting-flow-after-tighten, docker-restart,
  dockerd-kill9, network-create-loop-under-flood, swarm-leave-rejoin, first-ingress-service, reboot-flood,
  boot-script-fails, first-boot-install-window, double-apply, concurrent-apply-and-docker, malformed-allowlist,
  missing-ipset, flush-docker-user, delete-jump, return-inserted-first, accept-inserted-first, ingress-jump-above-user,
  v6-only-drift, iptables-F, iptables-restore-noflag, nft-flush-ruleset, nftables-enabled-reboot, nftables-stop,
  nft-log-in-docker-user, legacy-rules-loaded, legacy-forward-drop, alternatives-flip, ufw-enable,
  netfilter-persistent-restore, docker-upgrade, backend-switched-nftables, ip6tables-false, userland-proxy-false,
  iface-renamed, private-nic-hotplug, ssh-lockout-rollback`
  .split(",")
  .map((name) => name.trim());

const closed = (open: boolean, closedAnyway?: string): Seen => ({
  label: "x",
  must: "closed",
  open,
  detail: "d",
  closedAnyway,
});
const works = (open: boolean): Seen => ({ label: "y", must: "open", open, detail: "d" });

describe("attacks", () => {
  test("every name of the reference's list is one attack", () => {
    expect(names.filter((name) => attacks.filter((attack) => attack.name === name).length !== 1)).toEqual([]);
  });

  test("no two have the same name", () => {
    expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length);
  });
});

const when = { at: "2026-01-02T03:04:05Z", commit: "abc", basis: "def" };

describe("verdicts", () => {
  test("ours must keep out what is closed, and let through what is open", () => {
    expect(packetCell("ours", [closed(false), works(true)], 1)).toMatchObject({ verdict: "blocked", ok: true });
    expect(packetCell("ours", [closed(true), works(true)], 1)).toMatchObject({ verdict: "open", ok: false });
    expect(packetCell("ours", [closed(false), works(false)], 1)).toMatchObject({ verdict: "broken", ok: false });
  });

  test("a baseline may be open", () => {
    expect(packetCell("seed", [closed(true), works(true)], 1)).toMatchObject({ verdict: "open", ok: true });
  });

  test("without a positive control nothing is proved, under any rules", () => {
    for (const column of columns)
      expect(packetCell(column, [closed(column === "bare")], 1)).toMatchObject({ verdict: "failed", ok: false });
  });

  test("a probe that does not arrive without a firewall proves nothing, unless it was said why", () => {
    expect(packetCell("bare", [closed(false), works(true)], 1)).toMatchObject({ verdict: "failed", ok: false });
    expect(packetCell("bare", [closed(true), works(true)], 1)).toMatchObject({ verdict: "open", ok: true });
    const said = packetCell("bare", [closed(false, "Docker drops it"), works(true)], 1);
    expect(said).toMatchObject({ verdict: "blocked", ok: true });
    expect(said.detail).toContain("Docker drops it");
  });

  test("what was not measured is a problem, and shown", () => {
    const ours = { ...packetCell("ours", [closed(false), works(true)], 1), ...when };
    const row = { name: "a", group: "packets", what: "w", cells: { ours } };
    expect(problems([row], ["bare", "ours"])).toEqual(["a: nothing was measured under bare"]);
    const text = markdown({ "debian-13": [row] });
    expect(text).toContain("| a | **not measured** |");
    expect(text).toContain(
      "1 of 4 cells measured, from 2026-01-02T03:04:05Z to 2026-01-02T03:04:05Z, at commit abc (1).",
    );
  });

  test("the table gives the reason of what does not apply", () => {
    const cell = { verdict: "not applicable" as const, ok: true, detail: "no such thing here", ...when };
    const row = {
      name: "a",
      group: "drift",
      what: "w",
      cells: { bare: cell, seed: cell, "ufw-docker": cell, ours: cell },
    };
    expect(problems([row])).toEqual([]);
    expect(markdown({ v: [row] })).toMatch(/\| not applicable \[1\] \|[\s\S]*1\. no such thing here/);
  });

  test("the table says how much of it is of before a change, and what there is to say of a hole that is caught", () => {
    const cell = { verdict: "caught" as const, ok: true, detail: "7 of 9 probes answered", ...when };
    const row = { name: "a", group: "drift", what: "w", cells: { ours: cell } };
    expect(markdown({ v: [row] })).not.toMatch(/changed in some way since|7 of 9/);
    const marked = markdown({ v: [{ ...row, stale: ["ours" as const], explained: true }] });
    expect(marked).toMatch(/Of 1 cells .* changed in some way since\.[\s\S]*\| caught \[1\] \|[\s\S]*1\. 7 of 9/);
  });

  test("the table says what came in under a baseline", () => {
    const cell = (column: "bare" | "seed") => ({ ...packetCell(column, [closed(true), works(true)], 1), ...when });
    const row = { name: "a", group: "packets", what: "w", cells: { bare: cell("bare"), seed: cell("seed") } };
    expect(markdown({ v: [row] })).toMatch(/\| a \| open \| open \[1\] \|[\s\S]*1\. came in: x \(d\)/);
  });
});
