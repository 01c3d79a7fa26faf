package provider_test

import (
	"os"
	"strings"
	"testing"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func TestStdinAndOutputs(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	state := h.mustCreate(t, remoteCommand, map[string]any{
		"connection": server.connection(t), "create": "cat; echo; echo problem >&2", "stdin": "line 1\nline 2",
	})
	wantText(t, state, "stdout", "line 1\nline 2")
	wantText(t, state, "stderr", "problem")
}

func TestFailurePrintsCommandAndOutput(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	_, err := h.create(t, remoteCommand, map[string]any{
		"connection": server.connection(t), "create": "echo seen; echo heard >&2; exit 7", "stdin": "not shown",
	})
	wantError(t, err, `Process exited with status 7: running "echo seen; echo heard >&2; exit 7":`, "seen\n", "heard\n")
	if strings.Contains(err.Error(), "not shown") {
		t.Errorf("the error shows stdin: %v", err)
	}
}

func TestLogging(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	for mode, want := range map[string][2]bool{
		"": {true, true}, "stdoutAndStderr": {true, true}, "stdout": {true, false}, "stderr": {false, true}, "none": {},
	} {
		t.Run("mode "+mode, func(t *testing.T) {
			inputs := map[string]any{"connection": server.connection(t), "create": "echo to-out; printf to-err >&2"}
			if mode != "" {
				inputs["logging"] = mode
			}
			log := captureLog(t)
			state := h.mustCreate(t, remoteCommand, inputs)
			wantText(t, state, "stdout", "to-out")
			wantText(t, state, "stderr", "to-err")
			got := [2]bool{strings.Contains(log.String(), "to-out"), strings.Contains(log.String(), "to-err")}
			if got != want {
				t.Errorf("logged stdout, stderr: %v, want %v", got, want)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	h := newHarness(t)
	open := startServer(t, "AcceptEnv GREETING PULUMI_COMMAND_*")
	shut := startServer(t)
	show := "echo $GREETING$PULUMI_COMMAND_STDOUT"

	inputs := map[string]any{
		"connection": open.connection(t), "create": show, "environment": map[string]any{"GREETING": "hi"},
	}
	state := h.mustCreate(t, remoteCommand, inputs)
	wantText(t, state, "stdout", "hi")
	state, err := h.update(t, remoteCommand, state, with(inputs, map[string]any{"stdin": "changed"}), false)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, state, "stdout", "hihi")
	state, err = h.update(t, remoteCommand, state, with(inputs, map[string]any{"addPreviousOutputInEnv": false}), false)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, state, "stdout", "hi")

	_, err = h.create(t, remoteCommand, with(inputs, map[string]any{"connection": shut.connection(t)}))
	wantError(t, err, `could not set environment variable "GREETING"`)

	// A refused previous output is no more than a warning.
	inputs = map[string]any{"connection": shut.connection(t), "create": "echo one", "update": "echo $PULUMI_COMMAND_STDOUT two"}
	state = h.mustCreate(t, remoteCommand, inputs)
	log := captureLog(t)
	state, err = h.update(t, remoteCommand, state, with(inputs, map[string]any{"stdin": "changed"}), false)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, state, "stdout", "two")
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "PULUMI_COMMAND_STDOUT") {
		t.Errorf("no warning about PULUMI_COMMAND_STDOUT: %s", log)
	}
}

func TestWhatUpdateRuns(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	base := map[string]any{"connection": server.connection(t)}
	for name, test := range map[string]struct {
		commands map[string]any
		stdout   string
		dials    int
	}{
		"update":             {map[string]any{"create": "echo created", "update": "echo updated"}, "updated", 2},
		"create once more":   {map[string]any{"create": "echo created; cat"}, "created\nnew", 2},
		"neither":            {map[string]any{"delete": "true"}, "", 0},
		"update without one": {map[string]any{"update": "echo updated"}, "updated", 1},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(h.connections(t))
			inputs := with(base, test.commands)
			state := h.mustCreate(t, remoteCommand, inputs)
			state, err := h.update(t, remoteCommand, state, with(inputs, map[string]any{"stdin": "new"}), false)
			if err != nil {
				t.Fatal(err)
			}
			wantText(t, state, "stdout", test.stdout)
			if got := len(h.connections(t)) - before; got != test.dials {
				t.Errorf("%d connections, want %d", got, test.dials)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	inputs := map[string]any{
		"connection": server.connection(t), "create": "echo x", "triggers": []any{"one"}, "stdin": "s",
	}
	state := h.mustCreate(t, remoteCommand, inputs)
	if diff := h.diff(t, remoteCommand, state, inputs); diff.HasChanges {
		t.Errorf("a diff without a change: %+v", diff)
	}
	for name, change := range map[string]any{
		"connection": with(server.connection(t), map[string]any{"dialErrorLimit": 3}),
		"create":     "echo y", "update": "echo z", "delete": "echo d", "stdin": "t", "logging": "none",
		"environment": map[string]any{"A": "b"}, "addPreviousOutputInEnv": false,
	} {
		diff := h.diff(t, remoteCommand, state, with(inputs, map[string]any{name: change}))
		if !diff.HasChanges || replaces(diff) {
			t.Errorf("changed %s: %+v, want an update", name, diff)
		}
	}
	if diff := h.diff(t, remoteCommand, state, with(inputs, map[string]any{"triggers": nil})); !replaces(diff) {
		t.Errorf("removed triggers: %+v, want a replacement", diff)
	}
	// A changed element replaces through the SDK's replaceOnChanges: the engine test covers it.
	if diff := h.diff(t, remoteCommand, state, with(inputs, map[string]any{"triggers": []any{"two"}})); !diff.HasChanges {
		t.Errorf("changed triggers: no change")
	}
}

func replaces(diff p.DiffResponse) bool {
	for _, property := range diff.DetailedDiff {
		if strings.HasSuffix(string(property.Kind), "&replace") || strings.Contains(string(property.Kind), "replace") {
			return true
		}
	}
	return false
}

func TestDeleteRunsFromState(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	mark := server.path("deleted")
	state := h.mustCreate(t, remoteCommand, map[string]any{
		"connection": server.connection(t), "create": "true", "stdin": "from state", "delete": "cat > " + mark,
	})
	if err := h.delete(remoteCommand, state); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(mark)
	if err != nil || string(content) != "from state" {
		t.Errorf("delete wrote %q, %v", content, err)
	}
	log := h.connections(t)
	if last := log[len(log)-1]; last.Operation != "delete" {
		t.Errorf("last connection: %+v", last)
	}

	// Where the host is gone, deletion fails.
	gone := with(server.connection(t), map[string]any{"port": freePort(t), "dialErrorLimit": 0})
	state = h.check(t, remoteCommand, map[string]any{"connection": gone, "delete": "true"})
	state = state.Set("stdout", property.New("")).Set("stderr", property.New(""))
	wantError(t, h.delete(remoteCommand, state), "connection refused")
}

func TestPreviewRunsNothing(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	inputs := map[string]any{"connection": server.connection(t), "create": "echo x"}
	checked := h.check(t, remoteCommand, inputs)
	planned, err := h.server.Create(p.CreateRequest{Urn: urn(remoteCommand), Properties: checked, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	wantUnknown(t, planned.Properties, true)
	wantText(t, planned.Properties, "create", "echo x")
	if got := len(h.connections(t)); got != 0 {
		t.Fatalf("%d connections in a preview", got)
	}
	state := h.mustCreate(t, remoteCommand, inputs)
	updated, err := h.update(t, remoteCommand, state, with(inputs, map[string]any{"stdin": "new"}), true)
	if err != nil {
		t.Fatal(err)
	}
	wantUnknown(t, updated, true)
	same, err := h.update(t, remoteCommand, state, inputs, true)
	if err != nil {
		t.Fatal(err)
	}
	wantUnknown(t, same, false)
	if got := len(h.connections(t)); got != 1 {
		t.Errorf("%d connections, want 1: that of the creation", got)
	}
}

func wantUnknown(t *testing.T, state property.Map, want bool) {
	t.Helper()
	for _, name := range []string{"stdout", "stderr"} {
		if got := state.Get(name).IsComputed(); got != want {
			t.Errorf("%s unknown: %v, want %v", name, got, want)
		}
	}
}

// A secret input stays secret in the state. The outputs of the run do not become secret by it: whoever expects a
// secret there says so with additionalSecretOutputs, as with the official provider.
func TestSecrets(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	state := h.mustCreate(t, remoteCommand, map[string]any{
		"connection": server.connection(t),
		"create":     "cat",
		"stdin":      property.New("sesame").WithSecret(true),
	})
	for name, want := range map[string]bool{"connection": true, "stdin": true, "create": false, "stdout": false} {
		if got := state.Get(name).Secret(); got != want {
			t.Errorf("%s secret: %v, want %v", name, got, want)
		}
	}
}

func TestCustomTimeoutEndsTheSession(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	inputs := map[string]any{"connection": server.connection(t), "create": "sleep 60"}
	started := time.Now()
	_, err := h.server.Create(p.CreateRequest{
		Urn: urn(remoteCommand), Properties: h.check(t, remoteCommand, inputs), Timeout: 2,
	})
	wantError(t, err, "deadline exceeded")
	if took := time.Since(started); took > 30*time.Second {
		t.Errorf("took %v with a custom timeout of 2 s", took)
	}
}

func TestCancelEndsTheSession(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	started := time.Now()
	go func() {
		for len(h.connections(t)) == 0 && time.Since(started) < 10*time.Second {
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond)
		_ = h.server.Cancel()
	}()
	_, err := h.create(t, remoteCommand, map[string]any{"connection": server.connection(t), "create": "sleep 60"})
	wantError(t, err, "cancelled")
	if took := time.Since(started); took > 15*time.Second {
		t.Errorf("took %v after a cancel", took)
	}
}
