/**
 * Differences between the published npm packages and the providers here that are known and do no harm to this
 * project's programs: the lines of schema-check.mjs, each with its reason. A program that uses one of these properties
 * works with the official providers only.
 */
const newer = "in a newer Terraform provider than the one built here";
const older = "no longer in the newer Terraform provider that the package was made from";
const bridge = "a difference of the bridge's versions; results carry it as an extra";

const hcloud = {
  "outputs of hcloud:index/getLoadBalancerType:getLoadBalancerType: the package has deprecationAnnounced, the provider not":
    newer,
  "outputs of hcloud:index/getLoadBalancerType:getLoadBalancerType: the package has isDeprecated, the provider not":
    newer,
  "outputs of hcloud:index/getLoadBalancerType:getLoadBalancerType: the package has unavailableAfter, the provider not":
    newer,
  "inputs of hcloud:index/getPrimaryIp:getPrimaryIp: the provider has assigneeId, the package not": older,
  "inputs of hcloud:index/getPrimaryIps:getPrimaryIps: the package has id, the provider not": newer,
  "outputs of hcloud:index/getStorageBoxSnapshots:getStorageBoxSnapshots: the provider has id, the package not": bridge,
  "outputs of hcloud:index/getStorageBoxSubaccounts:getStorageBoxSubaccounts: the provider has id, the package not":
    bridge,
  "outputs of hcloud:index/getStorageBoxTypes:getStorageBoxTypes: the provider has id, the package not": bridge,
  "outputs of hcloud:index/getStorageBoxes:getStorageBoxes: the provider has id, the package not": bridge,
  "function pulumi:providers:hcloud/terraformConfig is missing in the package":
    "a method of the package's Provider class, not a function of its own",
  "type LoadBalancerServiceHttp: the package has timeoutIdle, the provider not": newer,
  "type ServerNetwork: the package has subnetId, the provider not": newer,
  "type getImagesImage: the provider has selector, the package not": older,
  "type getLoadBalancerServiceHttp: the package has timeoutIdle, the provider not": newer,
  "type getLoadBalancerTypesLoadBalancerType: the package has deprecationAnnounced, the provider not": newer,
  "type getLoadBalancerTypesLoadBalancerType: the package has isDeprecated, the provider not": newer,
  "type getLoadBalancerTypesLoadBalancerType: the package has unavailableAfter, the provider not": newer,
  "type getLoadBalancersLoadBalancerServiceHttp: the package has timeoutIdle, the provider not": newer,
  "type getServerTypeLocation: the package has available, the provider not": newer,
  "type getServerTypeLocation: the package has recommended, the provider not": newer,
  "type getServerTypesServerTypeLocation: the package has available, the provider not": newer,
  "type getServerTypesServerTypeLocation: the package has recommended, the provider not": newer,
};

const command = {
  "resource command:remote:CopyFile is missing in the provider": "deprecated; the stand-in leaves it out",
  "function command:local:run is missing in the provider": "not used here; the stand-in leaves it out",
};

/** Reason of a known difference by package name and line. */
export const knownDifferences = new Map([
  ["hcloud", new Map(Object.entries(hcloud))],
  ["command", new Map(Object.entries(command))],
]);
