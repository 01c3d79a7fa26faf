package remote

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/retry"
	"golang.org/x/crypto/ssh"

	"hcloud-swarm.test/engine/command-stand-in/internal/sessionlog"
)

// client is an SSH connection, with the one to the bastion host under it where there is one.
type client struct {
	*ssh.Client
	proxy *ssh.Client
}

func (c *client) Close() error {
	err := c.Client.Close()
	if c.proxy != nil {
		if proxyErr := c.proxy.Close(); err == nil {
			err = proxyErr
		}
	}
	return err
}

// dial connects, through the proxy where there is one, forgiving as many failures as dialErrorLimit says, with
// pauses that grow from 0.1 s by half each time up to 5 s. Every kind of failure counts and is tried again, a wrong
// host key or a refused login as well. A wrong input (an unreadable key) fails at once.
func (c *Connection) dial(ctx context.Context) (*client, error) {
	config, closeAgent, err := c.clientConfig()
	if err != nil {
		return nil, err
	}
	defer closeAgent()
	if c.Proxy == nil {
		target, err := dialWithRetry(ctx, "Dial", c.dialErrorLimit(), func() (*ssh.Client, error) {
			return dialOnce(ctx, c.address(), config)
		})
		if err != nil {
			return nil, err
		}
		return c.logged(ctx, &client{Client: target})
	}

	proxyConfig, closeProxyAgent, err := c.Proxy.clientConfig()
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	defer closeProxyAgent()
	proxy, err := dialWithRetry(ctx, "Dial proxy", c.Proxy.dialErrorLimit(), func() (*ssh.Client, error) {
		return dialOnce(ctx, c.Proxy.address(), proxyConfig)
	})
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	// The tunnel and the handshake through it are one attempt: a handshake cannot be tried again on a used tunnel.
	target, err := dialWithRetry(ctx, "Dial from proxy", c.dialErrorLimit(), func() (*ssh.Client, error) {
		tunnel, err := proxy.DialContext(ctx, "tcp", c.address())
		if err != nil {
			return nil, err
		}
		return handshake(ctx, tunnel, c.address(), config)
	})
	if err != nil {
		_ = proxy.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return c.logged(ctx, &client{Client: target, proxy: proxy})
}

// logged writes the session log's lines for a connection that stands.
func (c *Connection) logged(ctx context.Context, connected *client) (*client, error) {
	err := error(nil)
	if connected.proxy != nil {
		err = sessionlog.Append(ctx, c.Proxy.Host, c.Proxy.port(), "proxy")
	}
	if err == nil {
		err = sessionlog.Append(ctx, c.Host, c.port(), "target")
	}
	if err != nil {
		_ = connected.Close()
		return nil, err
	}
	return connected, nil
}

func dialOnce(ctx context.Context, address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	dialer := net.Dialer{Timeout: config.Timeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return handshake(ctx, conn, address, config)
}

// handshake has no time limit of its own, as in the official provider; a cancelled context ends it.
func handshake(ctx context.Context, conn net.Conn, address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	sshConn, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if !stop() && err == nil {
		_ = sshConn.Close()
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return ssh.NewClient(sshConn, channels, requests), nil
}

// dialWithRetry calls attempt until it succeeds, more than limit attempts have failed (never, if limit is -1) or ctx
// ends: a limit of 10 makes 11 attempts.
func dialWithRetry(
	ctx context.Context, what string, limit int, attempt func() (*ssh.Client, error),
) (*ssh.Client, error) {
	shown := strconv.Itoa(limit)
	if limit < 0 {
		shown = "inf"
	}
	done, result, err := retry.Until(ctx, retry.Acceptor{
		Accept: func(failedBefore int, _ time.Duration) (bool, any, error) {
			connected, err := attempt()
			if err == nil {
				return true, connected, nil
			}
			if limit >= 0 && failedBefore >= limit {
				return true, nil, fmt.Errorf("after %d failed attempts: %w", failedBefore, err)
			}
			p.GetLogger(ctx).InfoStatusf("%s %d/%s failed: retrying", what, failedBefore+1, shown)
			return false, nil, nil
		},
	})
	if err != nil {
		return nil, err
	}
	if !done {
		return nil, fmt.Errorf("gave up dialling: %w", ctx.Err())
	}
	return result.(*ssh.Client), nil
}
