import { describe, expect, it } from "vitest";
import { stateSchema } from "../engine/state";
import { attemptLabel, type Creation, judge } from "./leftover";

const type = "hcloud-swarm:index:SwarmCluster$hcloud:index/server:Server";
const urn = `urn:pulumi:dev::app::${type}::prod-w1`;
const creation: Creation = { urn, name: "prod-w1", attempts: ["now"] };
const labelled = (attempt: string) => ({ [attemptLabel]: attempt, "hcloud-swarm-cluster": "prod" });
const found = { id: 7, name: "prod-w1", labels: labelled("killed") };

interface Note {
  readonly type?: string;
  readonly urn?: string;
  readonly inputs?: Record<string, unknown>;
}
const state = (note: Note = {}, resources: object[] = []) =>
  stateSchema.parse({
    version: 3,
    deployment: {
      resources,
      pending_operations: [
        { type: "creating", resource: { urn, inputs: { name: "prod-w1", labels: labelled("now") } } },
        {
          type: note.type ?? "creating",
          resource: { urn: note.urn ?? urn, inputs: note.inputs ?? { name: "prod-w1", labels: labelled("killed") } },
        },
      ],
    },
  });

describe("something that has the name of what is about to be made", () => {
  it("is left over where the stack noted that attempt and does not have the thing", () => {
    expect(judge(found, creation, state())).toBe("leftOver");
    const network = { urn: `urn:pulumi:dev::app::hcloud:index/network:Network::n`, id: "7" };
    expect(judge(found, creation, state({}, [network])), "the id of another kind").toBe("leftOver");
  });

  it("is the stack's own where it has it, whatever was noted", () => {
    expect(judge(found, creation, state({}, [{ urn, id: "7" }]))).toBe("ours");
    const renamed = { urn: urn.replace("prod-w1", "old"), id: "7", delete: true };
    expect(judge(found, creation, state({}, [renamed]))).toBe("ours");
  });

  it.each<[string, Note]>([
    ["another attempt", { inputs: { name: "prod-w1", labels: labelled("other") } }],
    ["an attempt to change it", { type: "updating" }],
    ["something else of the stack", { urn: urn.replace("prod-w1", "prod-w2") }],
    ["another name", { inputs: { name: "prod-w2", labels: labelled("killed") } }],
    ["no label", { inputs: { name: "prod-w1" } }],
    ["no inputs", { inputs: {} }],
  ])("is unknown where the note is of %s", (_, note) => {
    expect(judge(found, creation, state(note))).toBe("unknown");
  });

  it("is unknown without a label, with this attempt's, with another's, and where nothing was noted", () => {
    for (const labels of [{}, labelled(""), labelled("now"), labelled("theirs")])
      expect(judge({ ...found, labels }, creation, state()), JSON.stringify(labels)).toBe("unknown");
    expect(judge(found, creation, stateSchema.parse({ deployment: {} }))).toBe("unknown");
    expect(judge(found, { ...creation, attempts: ["now", "killed"] }, state()), "a replacement's").toBe("unknown");
    expect(judge({ ...found, name: "prod" }, creation, state()), "another name").toBe("unknown");
  });
});
