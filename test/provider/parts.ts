/** Tests of the component's parts with the real engine and provider: one deployment a file, programs that reach no host. */
import { afterAll, beforeAll } from "vitest";
import { type CloudOptions, type Deployment, openDeployment } from "./cloud";

/** The making of the engine, where it is missing, takes minutes; in milliseconds. */
export const timeout = 1_200_000;

/** The deployment of all tests of the file that asks for it, as {@link openDeployment} opens it; it can be used inside of them. */
export function fileDeployment(options?: CloudOptions, ...flags: string[]): Omit<Deployment, "close"> {
  let deployment: Deployment | undefined;
  const opened = (): Deployment => {
    if (deployment === undefined) throw new Error("a file's deployment is there only while its tests run");
    return deployment;
  };
  beforeAll(async () => {
    deployment = await openDeployment(options, ...flags);
  }, timeout);
  afterAll(() => deployment?.close());
  return {
    get cloud() {
      return opened().cloud;
    },
    get project() {
      return opened().project;
    },
    apply: (...args) => opened().apply(...args),
  };
}

/** What a program of parts may do otherwise, as JavaScript. */
export interface PartsOptions {
  /** Comes between `plan` and the component. Default: nothing. */
  readonly before?: string;
  /** What the component is made with beside its name. Default: nothing. */
  readonly component?: string;
}

/**
 * A program of the cluster `prod` with these arguments. In it, `part` gives a module of the package, `plan` and `owner` are as the
 * component makes them, and `born` makes the server of a node of the plan by the component's own function.
 */
export function partsProgram(args: object, body: string, { before = "", component = "" }: PartsOptions = {}): string {
  return `
const pulumi = require("@pulumi/pulumi");
const plan = part("plan/cluster").planCluster("prod", { ssh, ...${JSON.stringify(args)} });
${before}
class Owner extends pulumi.ComponentResource {}
const component = new Owner("test:index:Owner", "prod", ${component});
const owner = { ...plan, component, name: "prod" };
const key = new hcloud.SshKey("key", { name: "prod", publicKey: hostKey }, { parent: component });
const born = (node, more) =>
  part("cloud/infrastructure").server(owner, {
    ...node, placementGroup: undefined, suffix: "-" + node.resource, sshKey: key.id, firewallIds: [],
    userData: "#cloud-config\\n", staysPut: true, ...more,
  });
${body}`;
}
