//go:build tools

// Package tools only pins Hetzner Cloud's Terraform provider, so that go.mod and go.sum cover it.
package tools

import _ "github.com/hetznercloud/terraform-provider-hcloud"
