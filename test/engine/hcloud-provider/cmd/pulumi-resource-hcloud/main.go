// Command pulumi-resource-hcloud is the resource provider that the Pulumi engine starts.
package main

import (
	"context"
	_ "embed"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"

	hcloud "hcloud-swarm.test/engine/hcloud-provider"
)

// The schema is written by pulumi-tfgen-hcloud in the same build.
//
//go:embed schema.json
var schema []byte

func main() {
	pf.MainWithMuxer(context.Background(), hcloud.Name, hcloud.Info(), schema)
}
