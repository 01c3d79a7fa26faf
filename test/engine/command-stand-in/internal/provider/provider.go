// Package provider puts the stand-in's resources together under the published package name and version.
package provider

import (
	"context"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"hcloud-swarm.test/engine/command-stand-in/internal/local"
	"hcloud-swarm.test/engine/command-stand-in/internal/remote"
	"hcloud-swarm.test/engine/command-stand-in/internal/sessionlog"
)

const (
	// Name is the Pulumi package name of the provider stood in for.
	Name = "command"
	// Version is the version of the provider stood in for.
	Version = "1.2.1"
)

// New returns the provider. The error is one of construction only, never of a resource.
func New() (p.Provider, error) {
	stand, err := infer.NewProviderBuilder().
		WithDisplayName("Command (stand-in)").
		WithDescription("A stand-in for Pulumi's Command provider, for the tests of hcloud-swarm.").
		WithNamespace("hcloud-swarm").
		WithLicense("Apache-2.0").
		WithResources(
			infer.Resource(&remote.Command{}),
			infer.Resource(&remote.CopyToRemote{}),
			infer.Resource(&local.Command{}),
		).
		Build()
	if err != nil {
		return p.Provider{}, err
	}
	return nameOperations(stand), nil
}

// nameOperations tells the session log which resource and operation a connection serves: the resources themselves
// do not learn their URN.
func nameOperations(stand p.Provider) p.Provider {
	create, update, del := stand.Create, stand.Update, stand.Delete
	stand.Create = func(ctx context.Context, req p.CreateRequest) (p.CreateResponse, error) {
		return create(sessionlog.With(ctx, string(req.Urn), "create"), req)
	}
	stand.Update = func(ctx context.Context, req p.UpdateRequest) (p.UpdateResponse, error) {
		resp, err := update(sessionlog.With(ctx, string(req.Urn), "update"), req)
		if req.DryRun {
			resp.Properties = unknownOutputs(req, resp.Properties)
		}
		return resp, err
	}
	stand.Delete = func(ctx context.Context, req p.DeleteRequest) error {
		return del(sessionlog.With(ctx, string(req.Urn), "delete"), req)
	}
	return stand
}

// unknownOutputs makes what a command prints unknown in the preview of an update. The library does so only where an
// input had another value before, not where it had none.
func unknownOutputs(req p.UpdateRequest, planned property.Map) property.Map {
	added := false
	for name := range req.Inputs.All {
		_, before := req.State.GetOk(name)
		added = added || !before
	}
	for _, output := range []string{"stdout", "stderr"} {
		if _, has := planned.GetOk(output); has && added {
			planned = planned.Set(output, property.New(property.Computed))
		}
	}
	return planned
}
