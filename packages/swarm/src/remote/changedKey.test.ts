import { expect, it } from "vitest";
import { changedKeyText } from "./changedKey";
import { bootstrapHostKey, fingerprintOf } from "./sshKey";

const [hostKey, other] = ["a", "b"].map((name) => bootstrapHostKey("a test", "key", name).publicKey) as [
  string,
  string,
];
const inDoubt = "raise the node's 'replacement'";
const host = { name: "prod-w1", argument: "pools.w.nodes.w1.hostKey", inDoubt, hostKey };

it("says what to look at, what should be there, and which argument accepts another key", () => {
  expect(changedKeyText(host)).toBe(
    [
      "prod-w1 shows another host key than the pinned one. Look at its key without SSH, on its console:",
      `  prod-w1: 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' is to say ${fingerprintOf(hostKey)}. If it says another one, and ` +
        "you know why, accept that by giving the file's text as pools.w.nodes.w1.hostKey; in doubt raise the node's 'replacement'",
      "Where it is the pinned one, somebody else answers in the host's place.",
    ].join("\n"),
  );
});

it("tells of the bastion, too, whose key it may be", () => {
  const bastion = { name: "the bastion", argument: "bastion.hostKey", inDoubt: "leave it pinned", hostKey: other };
  const text = changedKeyText(host, bastion);
  expect(text).toMatch(/^prod-w1, or the bastion on the way to it, shows another host key/);
  expect(text).toContain(
    `\n  prod-w1: 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' is to say ${fingerprintOf(hostKey)}.`,
  );
  expect(text).toContain(
    `\n  the bastion: 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' is to say ${fingerprintOf(other)}.`,
  );
});

it("names no argument where none is used, and the file of the key's own kind", () => {
  const { argument: _, ...first } = host;
  expect(changedKeyText(first)).toContain(`. No other one is accepted: ${inDoubt}\n`);
  const ecdsa = { ...host, hostKey: `ecdsa-sha2-nistp256 ${"A".repeat(140)}` };
  expect(changedKeyText(ecdsa)).toContain("/etc/ssh/ssh_host_ecdsa_key.pub");
});
