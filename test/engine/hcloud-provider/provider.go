// Package hcloud describes the Terraform provider of Hetzner Cloud to Pulumi's Terraform bridge. The result serves
// the same resource types and properties as the published pulumi-resource-hcloud, which cannot be had everywhere.
package hcloud

import (
	"context"
	_ "embed"

	"github.com/hetznercloud/terraform-provider-hcloud/hcloud"
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Name is the Pulumi package name.
const Name = "hcloud"

// Version is the version of the Terraform provider underneath; the linker may set it.
var Version = "1.60.1"

//go:embed bridge-metadata.json
var metadata []byte

// Info returns the mapping from the Terraform provider to the Pulumi package. It panics when the embedded bridge
// metadata or the mapping itself is broken: both are errors of the build.
func Info() tfbridge.ProviderInfo {
	hcloud.Version = Version
	info := tfbridge.ProviderInfo{
		P: pf.MuxShimWithDisjointgPF(
			context.Background(),
			sdkv2.NewProvider(hcloud.Provider()),
			hcloud.NewPluginProvider(),
		),
		Name:           Name,
		Version:        Version,
		Description:    "Hetzner Cloud resources, bridged for the tests of hcloud-swarm.",
		License:        "Apache-2.0",
		MetadataInfo:   tfbridge.NewProviderMetadata(metadata),
		ResourcePrefix: Name,
		Resources: map[string]*tfbridge.ResourceInfo{
			"hcloud_server": {PreCheckCallback: defaultAliasIPs},
			// Pulumi's ids are strings; these resources have numbers in Terraform.
			"hcloud_storage_box":            stringID(),
			"hcloud_storage_box_snapshot":   stringID(),
			"hcloud_storage_box_subaccount": stringID(),
			"hcloud_zone":                   stringID(),
		},
	}
	info.MustComputeTokens(tokens.SingleModule("hcloud_", "index", tokens.MakeStandard(Name)))
	info.SetAutonaming(255, "-")
	return info
}

func stringID() *tfbridge.ResourceInfo {
	return &tfbridge.ResourceInfo{Fields: map[string]*tfbridge.SchemaInfo{"id": {Type: "string"}}}
}

// defaultAliasIPs gives every inline network of a server an empty list of alias addresses where the program gives
// none: with the property absent, the Terraform provider plans to attach the network anew in every update.
func defaultAliasIPs(_ context.Context, inputs, _ resource.PropertyMap) (resource.PropertyMap, error) {
	networks, ok := inputs["networks"]
	if !ok || !networks.IsArray() {
		return inputs, nil
	}
	defaulted := make([]resource.PropertyValue, 0, len(networks.ArrayValue()))
	for _, network := range networks.ArrayValue() {
		if network.IsObject() {
			fields := network.ObjectValue().Copy()
			if _, given := fields["aliasIps"]; !given {
				fields["aliasIps"] = resource.NewArrayProperty([]resource.PropertyValue{})
			}
			network = resource.NewObjectProperty(fields)
		}
		defaulted = append(defaulted, network)
	}
	result := inputs.Copy()
	result["networks"] = resource.NewArrayProperty(defaulted)
	return result, nil
}
