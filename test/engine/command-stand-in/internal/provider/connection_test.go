package provider_test

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func TestHostKey(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	_, other := newKey(t)
	for _, test := range []struct {
		name    string
		hostKey any
		fails   string
	}{
		{"right", server.hostKey, ""},
		{"unset is not checked", nil, ""},
		{"wrong", other, "host key mismatch"},
		{"unreadable", "ssh-ed25519 nonsense", "hostKey"},
	} {
		t.Run(test.name, func(t *testing.T) {
			state, err := h.create(t, remoteCommand, map[string]any{
				"connection": with(server.connection(t), map[string]any{"hostKey": test.hostKey, "dialErrorLimit": 0}),
				"create":     "echo hello",
			})
			if test.fails != "" {
				wantError(t, err, test.fails)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantText(t, state, "stdout", "hello")
		})
	}
	if got := len(h.connections(t)); got != 2 {
		t.Errorf("%d connections in the log, want 2: refused ones do not count", got)
	}
}

// A server with several host keys may answer with another than the pinned one: nodes must serve one kind only.
func TestPinnedKeyAmongSeveralKinds(t *testing.T) {
	h := newHarness(t)
	server := prepareServer(t)
	ecdsaKey, _ := newECDSAKey(t)
	server.write(t, "host_ecdsa", ecdsaKey)
	many := startServer(t, "HostKey "+server.path("host_ecdsa"))
	_, err := h.create(t, remoteCommand, map[string]any{
		"connection": with(many.connection(t), map[string]any{"dialErrorLimit": 0}),
		"create":     "true",
	})
	wantError(t, err, "host key mismatch")
}

func TestProxy(t *testing.T) {
	h := newHarness(t)
	target := startServer(t)
	bastion := startServer(t)
	closed := startServer(t, "AllowTcpForwarding no")
	_, other := newKey(t)
	quick := map[string]any{"dialErrorLimit": 0}
	run := func(proxy map[string]any, changes map[string]any) (property.Map, error) {
		connection := with(with(target.connection(t), quick), changes)
		connection["proxy"] = with(proxy, quick)
		return h.create(t, remoteCommand, map[string]any{"connection": connection, "create": "echo through"})
	}

	state, err := run(bastion.connection(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, state, "stdout", "through")
	log := h.connections(t)
	if len(log) != 2 || log[0].Role != "proxy" || log[0].Port != bastion.port ||
		log[1].Role != "target" || log[1].Port != target.port {
		t.Errorf("session log: %+v", log)
	}
	if log[1].Resource != string(urn(remoteCommand)) || log[1].Operation != "create" {
		t.Errorf("session log does not name the resource and operation: %+v", log[1])
	}

	_, err = run(with(bastion.connection(t), map[string]any{"hostKey": other}), nil)
	wantError(t, err, "proxy", "host key mismatch")
	_, err = run(bastion.connection(t), map[string]any{"hostKey": other})
	wantError(t, err, "proxy", "host key mismatch")
	_, err = run(closed.connection(t), nil)
	wantError(t, err, "proxy", "administratively prohibited")
	if _, err = run(with(bastion.connection(t), map[string]any{"hostKey": nil}), nil); err != nil {
		t.Errorf("proxy without a host key to check: %v", err)
	}
}

func TestDialIsTriedAgain(t *testing.T) {
	h := newHarness(t)
	server := prepareServer(t)
	go func() {
		time.Sleep(time.Second)
		server.start(t)
	}()
	state, err := h.create(t, remoteCommand, map[string]any{"connection": server.connection(t), "create": "echo late"})
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, state, "stdout", "late")
	if got := len(h.connections(t)); got != 1 {
		t.Errorf("%d connections in the log, want 1", got)
	}
}

func TestDialErrorLimit(t *testing.T) {
	h := newHarness(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dials := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			dials <- struct{}{}
			_ = conn.Close()
		}
	}()
	_, err = h.create(t, remoteCommand, map[string]any{
		"connection": map[string]any{
			"host": "127.0.0.1", "port": listener.Addr().(*net.TCPAddr).Port, "dialErrorLimit": 2,
		},
		"create": "true",
	})
	wantError(t, err, "after 2 failed attempts")
	if got := len(dials); got != 3 {
		t.Errorf("%d dials, want 3: the first and two more", got)
	}
}

func TestConnectionDefaults(t *testing.T) {
	h := newHarness(t)
	connection := h.check(t, remoteCommand, map[string]any{"connection": map[string]any{
		"host": "192.0.2.1", "proxy": map[string]any{"host": "192.0.2.2"},
	}}).Get("connection")
	if !connection.Secret() {
		t.Error("connection is not secret")
	}
	for _, side := range []property.Map{connection.AsMap(), connection.AsMap().Get("proxy").AsMap()} {
		wantText(t, side, "user", "root")
		for name, want := range map[string]float64{"port": 22, "dialErrorLimit": 10, "perDialTimeout": 15} {
			if got := side.Get(name); !got.IsNumber() || got.AsNumber() != want {
				t.Errorf("%s = %v, want %v", name, got, want)
			}
		}
	}
}

func TestEncryptedPrivateKey(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	locked := with(server.connection(t), map[string]any{
		"privateKey": encrypted(t, server.privateKey, "correct"), "dialErrorLimit": 0,
	})
	for password, fails := range map[string]string{"correct": "", "wrong": "privateKey"} {
		_, err := h.create(t, remoteCommand, map[string]any{
			"connection": with(locked, map[string]any{"privateKeyPassword": password}), "create": "true",
		})
		if fails != "" {
			wantError(t, err, fails)
		} else if err != nil {
			t.Errorf("password %q: %v", password, err)
		}
	}
}

func TestUnreachableAgentIsFatal(t *testing.T) {
	h := newHarness(t)
	server := startServer(t)
	t.Setenv("SSH_AUTH_SOCK", filepath.Join(t.TempDir(), "nobody"))
	_, err := h.create(t, remoteCommand, map[string]any{"connection": server.connection(t), "create": "true"})
	wantError(t, err, "SSH agent")
	if got := len(h.connections(t)); got != 0 {
		t.Errorf("%d connections, want none", got)
	}
}
