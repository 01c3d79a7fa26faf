// The policy pack: hands what Pulumi sees to the rules of rules.cjs (made from src/policyRules.ts, tested there).
const { PolicyPack, UnknownValueError } = require("@pulumi/policy");
const { POLICIES, UNKNOWN_SENTINEL, unhardenedServers, violations } = require("./rules.cjs");

/**
 * A property as plain data. In a preview, reading what is not known yet throws: deep inside, that part alone counts as unknown;
 * at the top it throws, and Pulumi says that this rule could not be judged for this resource before the update.
 */
function plainValue(value) {
  if (typeof value !== "object" || value === null) return value;
  const read = (key) => {
    try {
      return plainValue(value[key]);
    } catch (error) {
      if (error instanceof UnknownValueError) return UNKNOWN_SENTINEL;
      throw error;
    }
  };
  if (Array.isArray(value)) return Array.from({ length: value.length }, (_, index) => read(index));
  return Object.fromEntries(Object.keys(value).map((key) => [key, read(key)]));
}

const plain = ({ type, name, urn, props, opts }) => ({
  type,
  name,
  urn,
  // One by one, when a rule asks: what no rule reads may be unknown.
  props: {
    get rules() {
      return plainValue(props.rules);
    },
    get policy() {
      return plainValue(props.policy);
    },
    get deleteProtection() {
      return props.deleteProtection;
    },
  },
  protect: opts?.protect === true,
});

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
