// Command pulumi-resource-command is a STAND-IN for Pulumi's Command provider 1.2.1, made for the tests of
// hcloud-swarm where the official plugin cannot be had. The official one must work in its place.
package main

import (
	"context"
	"fmt"
	"os"

	p "github.com/pulumi/pulumi-go-provider"

	"hcloud-swarm.test/engine/command-stand-in/internal/provider"
)

func main() {
	stand, err := provider.New()
	if err == nil {
		err = p.RunProvider(context.Background(), provider.Name, provider.Version, stand)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-command (stand-in): %v\n", err)
		os.Exit(1)
	}
}
