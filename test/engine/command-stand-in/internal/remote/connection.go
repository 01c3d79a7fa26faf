package remote

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

const (
	defaultUser           = "root"
	defaultPort           = 22
	defaultDialErrorLimit = 10 // failed dials that are forgiven; -1: any number
	defaultPerDialTimeout = 15 // seconds; 0: no limit
	agentSocketVariable   = "SSH_AUTH_SOCK"
)

// Connection says how to reach and recognise the host that a command runs on.
type Connection struct {
	Endpoint
	Proxy *ProxyConnection `pulumi:"proxy,optional"`
}

// ProxyConnection says how to reach and recognise a bastion host.
type ProxyConnection struct{ Endpoint }

// Endpoint is what a connection to any SSH server needs.
type Endpoint struct {
	User               *string  `pulumi:"user,optional"`
	Password           *string  `pulumi:"password,optional"`
	Host               string   `pulumi:"host"`
	Port               *float64 `pulumi:"port,optional"`
	PrivateKey         *string  `pulumi:"privateKey,optional"`
	PrivateKeyPassword *string  `pulumi:"privateKeyPassword,optional"`
	AgentSocketPath    *string  `pulumi:"agentSocketPath,optional"`
	DialErrorLimit     *int     `pulumi:"dialErrorLimit,optional"`
	PerDialTimeout     *int     `pulumi:"perDialTimeout,optional"`
	HostKey            *string  `pulumi:"hostKey,optional"`
}

// Annotate describes the connection in the schema and sets its defaults.
func (c *Connection) Annotate(a infer.Annotator) {
	a.Describe(&c, "How to connect to the host.")
	a.Describe(&c.Proxy, "How to connect to a bastion host in front of it.")
	c.Endpoint.annotate(a)
}

// Annotate describes the bastion connection in the schema and sets its defaults.
func (c *ProxyConnection) Annotate(a infer.Annotator) {
	a.Describe(&c, "How to connect to a bastion host.")
	c.Endpoint.annotate(a)
}

func (e *Endpoint) annotate(a infer.Annotator) {
	a.Describe(&e.User, "User to log in as.")
	a.SetDefault(&e.User, defaultUser)
	a.Describe(&e.Password, "Password of the user.")
	a.Describe(&e.Host, "Name or address of the host.")
	a.Describe(&e.Port, "TCP port of the SSH server.")
	a.SetDefault(&e.Port, float64(defaultPort))
	a.Describe(&e.PrivateKey, "Private key, as text; tried before the password.")
	a.Describe(&e.PrivateKeyPassword, "Password of an encrypted private key.")
	a.Describe(&e.AgentSocketPath, "Socket of an SSH agent; default: what SSH_AUTH_SOCK says.")
	a.Describe(&e.DialErrorLimit, "Failed dials that are forgiven; -1: any number.")
	a.SetDefault(&e.DialErrorLimit, defaultDialErrorLimit)
	a.Describe(&e.PerDialTimeout, "Seconds that a dial may take; 0: any time.")
	a.SetDefault(&e.PerDialTimeout, defaultPerDialTimeout)
	a.Describe(&e.HostKey, "Public key that the host must prove to have; unset: none is checked.")
}

func (e *Endpoint) port() int {
	if e.Port == nil {
		return defaultPort
	}
	return int(*e.Port)
}

func (e *Endpoint) address() string {
	return net.JoinHostPort(e.Host, strconv.Itoa(e.port()))
}

func (e *Endpoint) dialErrorLimit() int {
	if e.DialErrorLimit == nil {
		return defaultDialErrorLimit
	}
	return *e.DialErrorLimit
}

// clientConfig turns the endpoint into the SSH client's settings. The returned function closes the connection to the
// SSH agent, where there is one; it must outlive the authentication.
func (e *Endpoint) clientConfig() (*ssh.ClientConfig, func(), error) {
	seconds := defaultPerDialTimeout
	if e.PerDialTimeout != nil {
		seconds = *e.PerDialTimeout
	}
	config := &ssh.ClientConfig{User: defaultUser, Timeout: time.Duration(seconds) * time.Second}
	if e.User != nil {
		config.User = *e.User
	}
	// As in the official provider: no key, no check; and the kinds of key to negotiate are not narrowed to the
	// kind expected, so a server with several keys may answer with another one than the one that is pinned.
	if e.HostKey == nil || *e.HostKey == "" {
		config.HostKeyCallback = ssh.InsecureIgnoreHostKey()
	} else {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(*e.HostKey))
		if err != nil {
			return nil, nil, fmt.Errorf("hostKey is not a public key in authorized_keys format: %w", err)
		}
		config.HostKeyCallback = ssh.FixedHostKey(key)
	}
	if e.PrivateKey != nil {
		signer, err := e.signer()
		if err != nil {
			return nil, nil, fmt.Errorf("privateKey: %w", err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if e.Password != nil {
		password := *e.Password
		answer := func(_, _ string, questions []string, _ []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range answers {
				answers[i] = password
			}
			return answers, nil
		}
		config.Auth = append(config.Auth, ssh.Password(password), ssh.KeyboardInteractive(answer))
	}
	closeAgent := func() {}
	socket := os.Getenv(agentSocketVariable)
	if e.AgentSocketPath != nil {
		socket = *e.AgentSocketPath
	}
	if socket != "" {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return nil, nil, fmt.Errorf("SSH agent: %w", err)
		}
		closeAgent = func() { _ = conn.Close() }
		config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(conn).Signers))
	}
	return config, closeAgent, nil
}

func (e *Endpoint) signer() (ssh.Signer, error) {
	if e.PrivateKeyPassword != nil {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(*e.PrivateKey), []byte(*e.PrivateKeyPassword))
	}
	return ssh.ParsePrivateKey([]byte(*e.PrivateKey))
}
