//go:build tools

// Package tools only pins Pulumi's YAML language host, so that go.mod and go.sum cover it.
package tools

import _ "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"
