import { describe, expect, it } from "vitest";
import { compileRuleset } from "./compile";
import { PayloadError } from "./errors";
import { parsePayload, payloadWithoutPeers, peersOf, renderBundle, renderPayload, renderPeersOnly } from "./payload";
import { normalizePolicy } from "./policy";
import { broad, broadNode } from "./testing/broad";

const ruleset = compileRuleset(normalizePolicy(broad), broadNode);
const payload = renderPayload(ruleset);

describe("a bundle", () => {
  it("carries peers in a section of their own, sorted, before the end", () => {
    const bundle = renderBundle({ payload, peers: ["10.0.0.10", "fd00::2", "10.0.0.9", "10.0.0.10"] });
    expect(bundle).toBe(payload.replace(/### end\n$/, "### peers\n10.0.0.9\n10.0.0.10\nfd00::2\n### end\n"));
    expect(peersOf(bundle)).toEqual(["10.0.0.9", "10.0.0.10", "fd00::2"]);
    expect(peersOf(payload)).toBeUndefined();
    expect(parsePayload(bundle)).toEqual(ruleset);
  });

  it("gives its payload back byte for byte, whatever its peers", () => {
    expect(payloadWithoutPeers(renderBundle({ payload, peers: [] }))).toBe(payload);
    expect(
      payloadWithoutPeers(
        renderBundle({ payload: renderBundle({ payload, peers: ["10.0.0.1"] }), peers: ["10.0.0.2"] }),
      ),
    ).toBe(payload);
    expect(payloadWithoutPeers(payload)).toBe(payload);
  });

  it("can be peers alone", () => {
    expect(renderPeersOnly(["10.0.0.2"])).toBe("### hcloud-swarm payload 1\n### peers\n10.0.0.2\n### end\n");
  });

  it.each(["10.0.0.0/24", "node-1", "", "10.0.0.2\n### end"])("refuses %j as a peer", (peer) => {
    expect(() => renderBundle({ payload, peers: [peer] })).toThrow("a peer is a single address");
  });
});

describe("parsePayload", () => {
  const lineOf = (start: string): number => payload.split("\n").findIndex((line) => line.startsWith(start)) + 1;

  it.each<[string, (text: string) => string, string | RegExp]>([
    [
      "no header",
      (text) => text.replace("payload 1", "payload 2"),
      "payload line 1: ### hcloud-swarm payload 1 expected",
    ],
    ["a cut end", (text) => text.slice(0, -40), "### end expected as last line"],
    ["a missing COMMIT", (text) => text.replace("COMMIT\n", ""), "COMMIT expected"],
    [
      "an unknown target",
      (text) => text.replace("-j DROP", "-j QUEUE"),
      `payload line ${lineOf("-A HC-RAW")}: unknown target QUEUE`,
    ],
    ["an unknown option", (text) => text.replace("-A HC-IN -i lo", "-A HC-IN -f -i lo"), /unexpected -f/],
    [
      "another spelling of a rule",
      (text) => text.replace("-s fe80::/10 -p ipv6-icmp", "-p ipv6-icmp -s fe80::/10"),
      "not written as iptables -S prints it",
    ],
    ["a rule of an undeclared chain", (text) => text.replace(":HC-CTR - [0:0]\n", ""), "chain HC-CTR is not declared"],
    [
      "chains mixed up",
      (text) =>
        text
          .replace("-A HC-IN -i lo -j RETURN\n", "")
          .replace("-A HC-CTR -j DROP\n", "-A HC-CTR -j DROP\n-A HC-IN -i lo -j RETURN\n"),
      "its rules are not together",
    ],
    [
      "an element of another set",
      (text) => text.replace(/^add (\S+)/m, "add other"),
      "create or add of the set above expected",
    ],
    [
      "a hook that is none",
      (text) => text.replace("mangle FORWARD HC-BELT", "security FORWARD HC-BELT"),
      "a hook expected",
    ],
    ["sections out of order", (text) => text.replace("### iptables", "### ip6tables"), "### iptables expected"],
    ["text behind the end", (text) => text.replace("### ip6tables", "### end\n### ip6tables"), /expected/],
    ["words behind the target", (text) => text.replace("-i lo -j RETURN", "-i lo -j RETURN -x"), "unexpected -x"],
  ])("refuses %s", (_, change, message) => {
    const changed = change(payload);
    expect(changed).not.toBe(payload);
    expect(() => parsePayload(changed)).toThrow(PayloadError);
    expect(() => parsePayload(changed)).toThrow(message);
  });

  it("refuses a bundle whose peers are no addresses", () => {
    const bundle = renderBundle({ payload, peers: ["10.0.0.2"] });
    expect(() => parsePayload(bundle.replace("\n10.0.0.2\n", "\n10.0.0.0/8\n"))).toThrow("a peer's address expected");
  });
});
