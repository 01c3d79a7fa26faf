//go:build tools

// Package tools only pins the Pulumi CLI, so that go.mod and go.sum cover it.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
