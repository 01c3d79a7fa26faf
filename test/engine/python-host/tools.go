//go:build tools

// Package tools only pins Pulumi's Python language host, so that go.mod and go.sum cover it.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
