// Command host-additions stands in front of one of Pulumi's language hosts. The hosts for Node and Python that can be
// built from published Go modules are the real ones, but older than the engine. This program hands every call on to
// the real host and adds what that one lacks: running a Node package as a plugin or as a policy pack, generating SDKs (by
// the engine's own code generators), and a program's options, which came as flags then.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// language is set by the linker: nodejs or python.
var language string

func main() {
	if len(os.Args) < 2 {
		cmdutil.Exit(fmt.Errorf("usage: pulumi-language-%s ENGINE-ADDRESS; the Pulumi engine starts this program", language))
	}
	engine := os.Args[len(os.Args)-1]
	ctx, cancel := context.WithCancel(context.Background())
	stop := make(chan bool)
	go func() {
		<-ctx.Done()
		close(stop)
	}()
	if err := rpcutil.Healthcheck(ctx, engine, 5*time.Minute, cancel); err != nil {
		cmdutil.Exit(err)
	}
	real := newRealHosts(engine)
	defer real.close()
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: stop,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, &host{real: real})
			return nil
		},
		Options: rpcutil.TracingServerInterceptorOptions(nil),
	})
	if err != nil {
		cmdutil.Exit(err)
	}
	fmt.Printf("%d\n", handle.Port)
	if err := <-handle.Done; err != nil {
		cmdutil.Exit(err)
	}
}
