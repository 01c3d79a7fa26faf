import { describe, expect, it } from "vitest";
import { readBundle } from "../testing/evaluator";
import { shadowedRules } from "./testing/shadow";

/** The search that the properties rely on finds what is there to find: its own control. */
describe("a search for useless rules", () => {
  const found = (...rules: string[]) => {
    const text = ["### iptables", "*filter", ":X - [0:0]", ...rules.map((rule) => `-A X ${rule}`), "COMMIT"].join("\n");
    return shadowedRules(readBundle(text, []), new Map([["s", ["192.0.2.0/24", "198.51.100.0/24"]]]));
  };

  it.each([
    ["the same twice", "-p tcp -m tcp --dport 80 -j RETURN", "-p tcp -m tcp --dport 80 -j DROP"],
    ["behind one for everything", "-j DROP", "-p tcp -m tcp --dport 80 -j RETURN"],
    ["a port in a range", "-p tcp -m tcp --dport 80:90 -j RETURN", "-p tcp -m tcp --dport 85 -j DROP"],
    ["a network in another", "-s 192.0.2.0/24 -j DROP", "-s 192.0.2.7/32 -p tcp -j RETURN"],
    ["a network in a set", "-m set --match-set s src -j DROP", "-s 198.51.100.7/32 -j RETURN"],
    ["an interface in several", "-i br-+ -j RETURN", "-i br-0 -p udp -j DROP"],
  ])("sees %s", (_what, earlier, later) => {
    expect(found(earlier, later)).toEqual([`-A X ${later} <- -A X ${earlier}`]);
  });

  it.each([
    ["another port", "-p tcp -m tcp --dport 80 -j RETURN", "-p tcp -m tcp --dport 81 -j RETURN"],
    ["a wider range", "-p tcp -m tcp --dport 85 -j RETURN", "-p tcp -m tcp --dport 80:90 -j DROP"],
    ["a log line, which decides nothing", "-p tcp -m limit --limit 1/sec -j LOG", "-p tcp -j DROP"],
    ["another network", "-m set --match-set s src -j DROP", "-s 203.0.113.7/32 -j RETURN"],
  ])("is not taken in by %s", (_what, earlier, later) => {
    expect(found(earlier, later)).toEqual([]);
  });
});
