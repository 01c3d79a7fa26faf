package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	nodegen "github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	pygen "github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// GeneratePackage writes an SDK for a package, as `pulumi package gen-sdk` and `pulumi package add` ask for it.
func (host *host) GeneratePackage(
	_ context.Context, request *pulumirpc.GeneratePackageRequest,
) (*pulumirpc.GeneratePackageResponse, error) {
	client, err := schema.NewLoaderClient(request.GetLoaderTarget())
	if err != nil {
		return nil, err
	}
	loader := schema.NewCachedLoader(client)
	var spec schema.PackageSpec
	if err := json.Unmarshal([]byte(request.GetSchema()), &spec); err != nil {
		return nil, err
	}
	bound, diagnostics, err := schema.BindSpec(spec, loader, schema.ValidationOptions{AllowDanglingReferences: true})
	if err != nil {
		return nil, err
	}
	answer := &pulumirpc.GeneratePackageResponse{Diagnostics: plugin.HclDiagnosticsToRPCDiagnostics(diagnostics)}
	if diagnostics.HasErrors() {
		return answer, nil
	}
	files, err := generate(request, bound, loader)
	if err != nil {
		return nil, err
	}
	for name, content := range files {
		target := filepath.Join(request.GetDirectory(), name)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(target, content, 0o600); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

func generate(
	request *pulumirpc.GeneratePackageRequest, bound *schema.Package, loader schema.ReferenceLoader,
) (map[string][]byte, error) {
	tool := "pulumi-language-" + language
	switch language {
	case "nodejs":
		local := request.GetLocalDependencies()
		return nodegen.GeneratePackage(tool, bound, request.GetExtraFiles(), local, request.GetLocal(), loader)
	case "python":
		return pygen.GeneratePackage(tool, bound, request.GetExtraFiles(), loader)
	default:
		return nil, fmt.Errorf("no SDKs for %s", language)
	}
}
