// Command pulumi-tfgen-hcloud writes the provider's Pulumi schema and the bridge's metadata: a step of the build.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"

	hcloud "hcloud-swarm.test/engine/hcloud-provider"
)

func main() {
	tfgen.MainWithMuxer(hcloud.Name, hcloud.Info())
}
