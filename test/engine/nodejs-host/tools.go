//go:build tools

// Package tools only pins Pulumi's Node language host, so that go.mod and go.sum cover it.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs"
