// The policy pack: hands what Pulumi sees to the rules of rules.cjs (made from src/policyRules.ts, tested there).
const { PolicyPack } = require("@pulumi/policy");
const { POLICIES, unhardenedServers, violations } = require("./rules.cjs");

const plain = ({ type, name, urn, props, opts }) => ({ type, name, urn, props, protect: opts?.protect === true });

new PolicyPack("hcloud-swarm", {
  // `pulumi preview --policy-pack-config` changes the level of each by its name.
  enforcementLevel: "mandatory",
  policies: [
    ...Object.entries(POLICIES)
      .filter(([name]) => name !== "unhardened-server")
      .map(([name, description]) => ({
        name,
        description,
        validateResource: (args, reportViolation) => {
          for (const message of violations(name, plain(args))) reportViolation(`${args.name} ${message}`);
        },
      })),
    {
      name: "unhardened-server",
      description: POLICIES["unhardened-server"],
      validateStack: (args, reportViolation) => {
        for (const { urn, message } of unhardenedServers(args.resources.map(plain))) reportViolation(message, urn);
      },
    },
  ],
});
