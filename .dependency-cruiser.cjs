// The house's arrows: components -> swarm -> nodes -> cloud -> (plan, args), each -> (remote, host, membership, verification) -> firewall.
// Pure parts stay pure.
const src = "^packages/swarm/src/";
const layers = ["args|plan", "cloud", "nodes", "swarm"];
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-circular",
      comment: "types that name each other are gone when the code runs",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "pure-parts",
      comment:
        "firewall, host, membership, maintenance, verification and the judgement on left-overs know neither Pulumi nor I/O (host may compress)",
      severity: "error",
      from: {
        path: `${src}(engine/state|firewall/|host/|interrupted/leftover|maintenance/|membership/|verification/)`,
        pathNot: "(\\.test\\.ts$|/testing/)",
      },
      to: {
        path: [
          "^@pulumi/",
          "node_modules/@pulumi/",
          "^(node:)?(fs|net|http|child_process|os|path|crypto|dns|tls)($|/)",
        ],
      },
    },
    {
      name: "plan-is-data",
      comment: "what is to be made is told without Pulumi; arguments that are known later end in args",
      severity: "error",
      from: { path: `${src}plan/`, pathNot: "\\.test\\.ts$" },
      to: { path: ["^@pulumi/", "node_modules/@pulumi/"] },
    },
    {
      name: "programs-below-steps",
      comment: "what runs on a host does not know over which step it gets there",
      severity: "error",
      from: {
        path: `${src}(firewall|host|maintenance|membership|verification)/`,
        pathNot: "(\\.test\\.ts$|/testing/)",
      },
      to: { path: `${src}remote/` },
    },
    ...layers.slice(0, -1).map((layer, index) => ({
      name: `${layer}-below`,
      comment: "what is made knows what it is made of, and not the other way round; types apart",
      severity: "error",
      from: { path: `${src}(${layer})/`, pathNot: "\\.test\\.ts$" },
      to: { path: `${src}(${layers.slice(index + 1).join("|")})/`, dependencyTypesNot: ["type-only"] },
    })),
    {
      name: "components-above-all",
      severity: "error",
      from: { path: `${src}.+/`, pathNot: "(\\.test\\.ts$|/testing/)" },
      to: { path: `${src}(swarmCluster|hardenedServer|hostHardening|index)\\.ts$` },
    },
    {
      name: "firewall-is-a-leaf",
      severity: "error",
      from: { path: `${src}firewall/` },
      to: { path: src, pathNot: `${src}(firewall|testing)/` },
    },
    {
      name: "command-only-in-remote",
      comment: "src/remote is the only place that touches @pulumi/command",
      severity: "error",
      from: { path: src, pathNot: [`${src}remote/`, "\\.test\\.ts$"] },
      to: { path: "node_modules/@pulumi/command" },
    },
    {
      name: "region-api-and-machines-meet-at-the-backend",
      severity: "error",
      from: { path: "^packages/region/src/(compute|network|images)/" },
      to: { path: "^packages/region/src/api/" },
    },
    {
      name: "region-api-knows-no-machines",
      severity: "error",
      from: { path: "^packages/region/src/api/" },
      to: { path: "^packages/region/src/(compute|network|images)/" },
    },
    {
      name: "packages-know-no-tests",
      severity: "error",
      from: { path: "^packages/" },
      to: { path: "^test/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(/dist/|test/engine)" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default"],
    },
  },
};
