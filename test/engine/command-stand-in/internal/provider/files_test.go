package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func textAsset(t *testing.T, content string) *resource.Asset {
	t.Helper()
	asset, err := resource.NewTextAsset(content)
	if err != nil {
		t.Fatal(err)
	}
	return asset
}

func wantFile(t *testing.T, name, want string) {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	} else if string(content) != want {
		t.Errorf("%s holds %q, want %q", name, content, want)
	}
}

func TestCopyToRemote(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	source := t.TempDir()
	for name, content := range map[string]string{"top": "1", "below/deep": "2"} {
		file := filepath.Join(source, "tree", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copyOf := func(source any, target string) map[string]any {
		return map[string]any{"connection": server.connection(t), "source": source, "remotePath": server.path(target)}
	}

	inputs := copyOf(textAsset(t, "hello"), "text")
	state := h.mustCreate(t, copyToRemote, inputs)
	wantFile(t, server.path("text"), "hello")
	if !state.Get("connection").Secret() {
		t.Error("connection is not secret")
	}

	file, err := resource.NewPathAsset(filepath.Join(source, "tree", "top"))
	if err != nil {
		t.Fatal(err)
	}
	h.mustCreate(t, copyToRemote, copyOf(file, "file"))
	wantFile(t, server.path("file"), "1")

	tree, err := resource.NewPathArchive(filepath.Join(source, "tree"))
	if err != nil {
		t.Fatal(err)
	}
	h.mustCreate(t, copyToRemote, copyOf(tree, "copies"))
	wantFile(t, server.path("copies/tree/below/deep"), "2")

	before := len(h.connections(t))
	limit := map[string]any{"connection": with(server.connection(t), map[string]any{"dialErrorLimit": 3})}
	if _, err := h.update(t, copyToRemote, state, with(inputs, limit), false); err != nil {
		t.Fatal(err)
	}
	if got := len(h.connections(t)); got != before {
		t.Errorf("a new connection alone copied once more")
	}
	changed := with(inputs, map[string]any{"source": textAsset(t, "bye")})
	if _, err := h.update(t, copyToRemote, state, changed, false); err != nil {
		t.Fatal(err)
	}
	wantFile(t, server.path("text"), "bye")

	if _, err = h.create(t, copyToRemote, copyOf(textAsset(t, "x"), "copies")); err == nil {
		t.Error("a text was copied onto a directory")
	}
}

func TestCopyToRemoteRefusesRemoteSources(t *testing.T) {
	h := newHarness(t)
	resp, err := h.server.Check(p.CheckRequest{Urn: urn(copyToRemote), Inputs: toMap(map[string]any{
		"connection": map[string]any{"host": "192.0.2.1"},
		"source":     &resource.Asset{URI: "file:///nothing", Hash: "0", Sig: resource.AssetSig},
		"remotePath": "/x",
	})})
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Failures) != 1 || resp.Failures[0].Property != "source" {
		t.Errorf("failures: %v", resp.Failures)
	}
}

func TestLocalCommand(t *testing.T) {
	h := newHarness(t)
	dir := t.TempDir()
	inputs := map[string]any{
		"dir": dir, "create": `cat > made; echo "$NAME"; echo oops >&2`, "stdin": "content",
		"update": `echo "was $PULUMI_COMMAND_STDOUT"`, "delete": "rm made",
		"environment": map[string]any{"NAME": "value"}, "assetPaths": []any{"*", "!other"},
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	state := h.mustCreate(t, localCommand, inputs)
	wantText(t, state, "stdout", "value")
	wantText(t, state, "stderr", "oops")
	wantFile(t, filepath.Join(dir, "made"), "content")
	if assets := state.Get("assets"); !assets.IsMap() || assets.AsMap().Len() != 1 || !assets.AsMap().Get("made").IsAsset() {
		t.Errorf("assets: %v", assets)
	}
	updated, err := h.update(t, localCommand, state, with(inputs, map[string]any{"stdin": "other"}), false)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, updated, "stdout", "was value")
	if err := h.delete(localCommand, updated); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "made")); !os.IsNotExist(err) {
		t.Errorf("delete did not run: %v", err)
	}
	_, err = h.create(t, localCommand, map[string]any{"create": "echo said; exit 3"})
	wantError(t, err, `exit status 3: running "echo said; exit 3":`, "said")
}

func TestSchemaHasThePublishedTokens(t *testing.T) {
	h := newHarness(t)
	schema, err := h.server.GetSchema(p.GetSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{
		remoteCommand, copyToRemote, localCommand, "command:remote:Connection", "command:remote:ProxyConnection",
		"command:remote:Logging", "command:local:Logging",
	} {
		if !strings.Contains(schema.Schema, `"`+token+`":`) {
			t.Errorf("no %s in the schema", token)
		}
	}
}
