package provider_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blang/semver"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/integration"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"hcloud-swarm.test/engine/command-stand-in/internal/provider"
	"hcloud-swarm.test/engine/command-stand-in/internal/sessionlog"
)

const (
	remoteCommand = "command:remote:Command"
	copyToRemote  = "command:remote:CopyToRemote"
	localCommand  = "command:local:Command"
)

// harness drives the provider as the engine does: Check, then Create, Diff, Update, Delete.
type harness struct {
	server   integration.Server
	sessions string // path of the session log
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	t.Setenv("SSH_AUTH_SOCK", "")
	sessions := filepath.Join(t.TempDir(), "sessions")
	t.Setenv(sessionlog.EnvVar, sessions)
	stand, err := provider.New()
	if err != nil {
		t.Fatal(err)
	}
	server, err := integration.NewServer(
		context.Background(), provider.Name, semver.MustParse(provider.Version), integration.WithProvider(stand))
	if err != nil {
		t.Fatal(err)
	}
	return &harness{server, sessions}
}

func urn(token string) resource.URN {
	return resource.URN("urn:pulumi:dev::test::" + token + "::subject")
}

func toMap(inputs map[string]any) property.Map {
	values := map[string]property.Value{}
	for name, value := range inputs {
		values[name] = toValue(value)
	}
	return property.NewMap(values)
}

func toValue(value any) property.Value {
	switch value := value.(type) {
	case map[string]any:
		return property.New(toMap(value))
	case []any:
		values := make([]property.Value, len(value))
		for i := range value {
			values[i] = toValue(value[i])
		}
		return property.New(values)
	case property.Value:
		return value
	case string:
		return property.New(value)
	case bool:
		return property.New(value)
	case float64:
		return property.New(value)
	case int:
		return property.New(float64(value))
	case *resource.Asset:
		return property.New(value)
	case *resource.Archive:
		return property.New(value)
	}
	panic("toValue: unknown type")
}

// check returns the checked inputs, which are what the engine hands to the other operations.
func (h *harness) check(t *testing.T, token string, inputs map[string]any) property.Map {
	t.Helper()
	resp, err := h.server.Check(p.CheckRequest{Urn: urn(token), Inputs: toMap(inputs)})
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Failures) > 0 {
		t.Fatalf("check failed: %v", resp.Failures)
	}
	return overTheWire(t, resp.Inputs)
}

// overTheWire sends properties through the encoding between engine and provider, as happens in earnest: only then are
// assets what they should be.
func overTheWire(t *testing.T, properties property.Map) property.Map {
	t.Helper()
	options := plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true}
	sent, err := plugin.MarshalProperties(
		resource.ToResourcePropertyValue(property.New(properties)).ObjectValue(), options)
	if err != nil {
		t.Fatal(err)
	}
	received, err := plugin.UnmarshalProperties(sent, options)
	if err != nil {
		t.Fatal(err)
	}
	return resource.FromResourcePropertyValue(resource.NewProperty(received)).AsMap()
}

func (h *harness) create(t *testing.T, token string, inputs map[string]any) (property.Map, error) {
	t.Helper()
	resp, err := h.server.Create(p.CreateRequest{Urn: urn(token), Properties: h.check(t, token, inputs)})
	return overTheWire(t, resp.Properties), err
}

func (h *harness) mustCreate(t *testing.T, token string, inputs map[string]any) property.Map {
	t.Helper()
	state, err := h.create(t, token, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func (h *harness) update(
	t *testing.T, token string, state property.Map, inputs map[string]any, preview bool,
) (property.Map, error) {
	t.Helper()
	resp, err := h.server.Update(p.UpdateRequest{
		ID: "id", Urn: urn(token), State: state, Inputs: h.check(t, token, inputs), DryRun: preview,
	})
	return overTheWire(t, resp.Properties), err
}

func (h *harness) diff(t *testing.T, token string, state property.Map, inputs map[string]any) p.DiffResponse {
	t.Helper()
	resp, err := h.server.Diff(p.DiffRequest{
		ID: "id", Urn: urn(token), State: state, Inputs: h.check(t, token, inputs),
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (h *harness) delete(token string, state property.Map) error {
	return h.server.Delete(p.DeleteRequest{ID: "id", Urn: urn(token), Properties: state})
}

// connections returns the lines of the session log.
func (h *harness) connections(t *testing.T) []sessionlog.Entry {
	t.Helper()
	file, err := os.Open(h.sessions)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var entries []sessionlog.Entry
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var entry sessionlog.Entry
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	return entries
}

// captureLog returns what the provider logs from here to the end of the test.
func captureLog(t *testing.T) *bytes.Buffer {
	t.Helper()
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &log
}

func text(t *testing.T, state property.Map, name string) string {
	t.Helper()
	value := state.Get(name)
	if !value.IsString() {
		t.Fatalf("%s is not a known text: %v", name, value)
	}
	return value.AsString()
}

func wantText(t *testing.T, state property.Map, name, want string) {
	t.Helper()
	if got := text(t, state, name); got != want {
		t.Errorf("%s = %q, want %q", name, got, want)
	}
}

// wantError asserts that the error says all of the given parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// with returns a copy of m with changes; a nil change removes the entry.
func with(m map[string]any, changes map[string]any) map[string]any {
	result := map[string]any{}
	for name, value := range m {
		result[name] = value
	}
	for name, value := range changes {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = value
		}
	}
	return result
}
