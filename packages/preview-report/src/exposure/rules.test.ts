import { describe, expect, it } from "vitest";
import { policyOpenings } from "./rules.js";

describe("the policy of a component", () => {
  it("opens nothing to the outside by what concerns containers, drops and the log", () => {
    const inside = {
      "container udp/53": "from containers",
      egress: "closed to containers but for what is opened",
      "egress tcp/443 on pool web": "to anywhere",
      "egress all": "to 10.0.0.0/8",
      "trusted app0": "forwarding is free",
      metadata: "open to containers",
      "log drops": "6 a minute a chain",
    };
    expect(policyOpenings(inside)).toEqual({ openings: [], doubts: [] });
    const { openings, doubts } = policyOpenings({ ...inside, "tcp/443 on pool web": "from anywhere" });
    expect([openings.length, doubts]).toEqual([1, []]);
    expect(policyOpenings({ "egresss tcp/443": "to anywhere" }).doubts).toHaveLength(1);
  });
});
