import { describe, expect, it } from "vitest";
import { reportOf } from "../preview.js";
import { type FakeStep, stepEvent, stream, summary, text, UNKNOWN_ID, urnOf } from "../testing/events.js";

const SERVER = "hcloud:index/server:Server";
const FIREWALL = "hcloud:index/firewall:Firewall";
const ATTACHMENT = "hcloud:index/firewallAttachment:FirewallAttachment";

const rule = (port: string) => ({ direction: "in", protocol: "tcp", port, sourceIps: ["192.0.2.0/24"] });
const step = (type: string, name: string, id: string, inputs: object, op = "same"): FakeStep => ({
  op,
  type,
  name,
  ...(op === "create" ? {} : { old: { id, inputs: { ...inputs } } }),
  new: { id, inputs: { ...inputs } },
});

/** What reaches each server after the update, as `name: ports`. */
async function reach(steps: FakeStep[]): Promise<string[]> {
  const { report } = await reportOf(stream([...steps.map((it) => stepEvent(it)), ...summary()]));
  return [...report.exposure.changes, ...report.exposure.unchanged]
    .map((it) => `${it.nodes.join()} ${it.protocol}/${it.port} ${it.after}`)
    .sort();
}

describe("the firewalls in front of a server", () => {
  const server = (labels: object, more: object = {}) => step(SERVER, "web", "7", { labels, ...more });

  it.each<[string, object, boolean]>([
    ["its id", { applyTos: [{ server: 7 }] }, true],
    ["another's id", { applyTos: [{ server: 8 }] }, false],
    ["a label", { applyTos: [{ labelSelector: "role=web" }] }, true],
    ["a label with ==", { applyTos: [{ labelSelector: "role == web" }] }, true],
    ["another value of the label", { applyTos: [{ labelSelector: "role=db" }] }, false],
    ["a list of labels", { applyTos: [{ labelSelector: "role in (web,db),!old" }] }, true],
    ["a label that it must not have", { applyTos: [{ labelSelector: "!role" }] }, false],
  ])("are found by %s", async (_what, targets, attached) => {
    const firewall = step(FIREWALL, "fw", "5", { rules: [rule("443")], ...targets });
    expect(await reach([firewall, server({ role: "web" })])).toEqual([
      attached ? "web tcp/443 192.0.2.0/24" : "web any/all anywhere",
    ]);
  });

  it("are found by an attachment, and add up", async () => {
    const steps = [
      step(FIREWALL, "a", "5", { rules: [rule("443")] }),
      step(FIREWALL, "b", "6", { rules: [rule("80")] }),
      step(FIREWALL, "c", "9", { rules: [rule("25")] }),
      step(ATTACHMENT, "at", "1", { firewallId: 6, serverIds: [7] }),
      server({}, { firewallIds: [5] }),
    ];
    expect(await reach(steps)).toEqual(["web tcp/443 192.0.2.0/24", "web tcp/80 192.0.2.0/24"]);
  });

  it("are not guessed from a label that is no text", async () => {
    const firewall = step(FIREWALL, "fw", "5", {
      rules: [rule("443")],
      applyTos: [{ labelSelector: "role=undefined" }],
    });
    expect(await reach([firewall, server({ role: { deep: "web" } })])).toEqual(["web any/all anywhere"]);
  });

  it("are not known where their id is of elsewhere, or their rules come after the update", async () => {
    expect(await reach([server({}, { firewallIds: [99] })])).toEqual(["web any/all unknown"]);
    const unknown: FakeStep = {
      ...step(FIREWALL, "fw", "5", { rules: [rule("443")] }, "update"),
      new: { id: "5", inputs: { rules: UNKNOWN_ID } },
    };
    // Never shown as closed: the rules that come may be the same.
    expect(await reach([unknown, server({}, { firewallIds: [5] })])).toEqual([
      "web any/all unknown",
      "web tcp/443 unknown",
    ]);
  });

  it("are taken together where an attachment does not say to which new servers", async () => {
    const steps = [
      step(FIREWALL, "a", "", { rules: [rule("443")] }, "create"),
      step(ATTACHMENT, "at", "", { firewallId: UNKNOWN_ID, serverIds: [UNKNOWN_ID] }, "create"),
      step(SERVER, "web", "", {}, "create"),
    ];
    const { report } = await reportOf(stream([...steps.map((it) => stepEvent(it)), ...summary()]));
    expect(report.exposure.changes.map((it) => `${it.kind} ${it.port}`)).toEqual(["opens 443"]);
    expect(report.exposure.doubts.map((it) => it.doubt)).toEqual([
      "to which servers a firewall is attached is known only after the update",
    ]);
  });

  it("are taken together where one of several new ones is attached; a single one it must be", async () => {
    const made = (name: string, port: string) => step(FIREWALL, name, "", { rules: [rule(port)] }, "create");
    const web = step(SERVER, "web", "", { firewallIds: [UNKNOWN_ID] }, "create");
    const doubts = async (steps: FakeStep[]) => {
      const { report } = await reportOf(stream([...steps.map((it) => stepEvent(it)), ...summary()]));
      return [report.exposure.changes.map((it) => it.port), report.exposure.doubts.length];
    };
    expect(await doubts([made("a", "443"), web])).toEqual([["443"], 0]);
    expect(await doubts([made("a", "443"), made("b", "80"), web])).toEqual([["80", "443"], 1]);
  });

  it("are told apart by the dependencies of plain preview --json", async () => {
    const made = (type: string, name: string, inputs: object, propertyDependencies: object = {}) => {
      const urn = urnOf(type, name);
      return {
        op: "create",
        urn,
        newState: { urn, type, id: "", custom: true, inputs, outputs: {}, propertyDependencies },
      };
    };
    const digest = {
      steps: [
        made(FIREWALL, "a", { rules: [rule("443")] }),
        made(FIREWALL, "b", { rules: [rule("80")] }),
        made(SERVER, "web", { firewallIds: [UNKNOWN_ID] }, { firewallIds: [urnOf(FIREWALL, "b")] }),
      ],
      changeSummary: { create: 3 },
    };
    const { report } = await reportOf(text(JSON.stringify(digest)));
    expect(report.exposure.changes.map((it) => `${it.kind} ${it.port}`)).toEqual(["opens 80"]);
    expect(report.exposure.doubts).toEqual([]);
  });
});
