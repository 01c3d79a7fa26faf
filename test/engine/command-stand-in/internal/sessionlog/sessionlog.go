// Package sessionlog counts SSH connections for tests. Stand-in only: the official provider has nothing like it.
package sessionlog

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// EnvVar names the file that gets one JSON line per established SSH connection. Unset or empty: nothing is written.
const EnvVar = "HCS_SSH_SESSION_LOG"

// Entry is one line of the log. It holds no secret: no user, key, password or command text.
type Entry struct {
	Time      string `json:"time"`                // RFC 3339, UTC, nanoseconds
	Host      string `json:"host"`                // as given in the connection
	Port      int    `json:"port"`                // TCP port
	Role      string `json:"role"`                // "target", or "proxy" for the connection to a bastion host
	Resource  string `json:"resource,omitempty"`  // URN of the resource, where known
	Operation string `json:"operation,omitempty"` // "create", "update" or "delete", where known
}

type contextKey struct{}

type operation struct{ urn, name string }

// With returns a context whose connections are logged under this resource and operation.
func With(ctx context.Context, urn, name string) context.Context {
	return context.WithValue(ctx, contextKey{}, operation{urn, name})
}

// Append writes the line for one connection. The line is a single write to a file opened for appending, so several
// provider processes may share a file. An unwritable file is an error: a test would otherwise count too few.
func Append(ctx context.Context, host string, port int, role string) error {
	path := os.Getenv(EnvVar)
	if path == "" {
		return nil
	}
	entry := Entry{Time: time.Now().UTC().Format(time.RFC3339Nano), Host: host, Port: port, Role: role}
	if op, ok := ctx.Value(contextKey{}).(operation); ok {
		entry.Resource, entry.Operation = op.urn, op.name
	}
	line, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("%s: %w", EnvVar, err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", EnvVar, err)
	}
	_, err = file.Write(append(line, '\n'))
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("%s: %w", EnvVar, err)
	}
	return nil
}
