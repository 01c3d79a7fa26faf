package provider_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshd is a real OpenSSH server on the loopback address, with configuration and keys of its own in a temporary
// directory. It ends with the test.
type sshd struct {
	dir        string // temporary; tests may keep files here
	port       int
	hostKey    string // public ed25519 host key, authorized_keys format
	privateKey string // of the user who may log in
	process    *exec.Cmd
}

// prepareServer makes keys and configuration; extra are lines of sshd_config. It does not start the server.
func prepareServer(t *testing.T, extra ...string) *sshd {
	t.Helper()
	server := &sshd{dir: t.TempDir(), port: freePort(t)}
	var public string
	server.privateKey, public = newKey(t)
	server.write(t, "authorized_keys", public)
	hostPrivate, hostPublic := newKey(t)
	server.hostKey = hostPublic
	server.write(t, "host_ed25519", hostPrivate)
	lines := append([]string{
		"ListenAddress 127.0.0.1",
		fmt.Sprintf("Port %d", server.port),
		"HostKey " + server.path("host_ed25519"),
		"PidFile none",
		"AuthorizedKeysFile " + server.path("authorized_keys"),
		"StrictModes no",
		"UsePAM no",
		"PermitRootLogin yes",
		"PasswordAuthentication no",
		"Subsystem sftp internal-sftp",
	}, extra...)
	server.write(t, "sshd_config", strings.Join(lines, "\n")+"\n")
	return server
}

// startServer prepares a server, starts it and waits until it answers.
func startServer(t *testing.T, extra ...string) *sshd {
	t.Helper()
	server := prepareServer(t, extra...)
	server.start(t)
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.Dial("tcp", server.address())
		if err == nil {
			_ = conn.Close()
			return server
		}
		if time.Now().After(deadline) {
			t.Fatalf("sshd does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *sshd) start(t *testing.T) {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("these tests need sshd (Debian: openssh-server): %v", err)
	}
	if os.Geteuid() == 0 {
		// sshd refuses to start as root without it.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	s.process = exec.Command(program, "-D", "-e", "-f", s.path("sshd_config"))
	s.process.Stderr = &log
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		if t.Failed() {
			t.Logf("sshd said:\n%s", log.String())
		}
	})
}

func (s *sshd) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

func (s *sshd) path(name string) string { return filepath.Join(s.dir, name) }

func (s *sshd) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// connection is what a program would give to reach the server, its host key pinned.
func (s *sshd) connection(t *testing.T) map[string]any {
	t.Helper()
	return map[string]any{
		"host":       "127.0.0.1",
		"port":       float64(s.port),
		"user":       currentUser(t),
		"privateKey": s.privateKey,
		"hostKey":    s.hostKey,
	}
}

func currentUser(t *testing.T) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return me.Username
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// newKey returns an ed25519 key pair: OpenSSH private key, and public key in authorized_keys format.
func newKey(t *testing.T) (private, public string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return marshalKey(t, key)
}

func newECDSAKey(t *testing.T) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return marshalKey(t, key)
}

func marshalKey(t *testing.T, key crypto.Signer) (private, public string) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
}

// encrypted returns the key locked with a password.
func encrypted(t *testing.T, private, password string) string {
	t.Helper()
	key, err := ssh.ParseRawPrivateKey([]byte(private))
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(*key.(*ed25519.PrivateKey), "", []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}
