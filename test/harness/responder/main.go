// Command responder is both ends of a probe: a small server that runs in containers and on hosts, and a client that
// judges a port by the payload that comes back, not by whether a connection could be made.
//
//	responder serve [--log] tcp:80 udp:9000       answers HTTP, datagrams and SCTP with its name
//	responder probe  < probes.json > results.json one round of probes, all at once
//	responder inject INTERFACE < frames.hex       Ethernet frames, as they are
//	responder send udp4 HOST:PORT < payloads.hex  datagrams, no answer expected
//	responder hold URL INTERVAL                   one HTTP connection kept busy until standard input ends
//	responder flood PROBE-JSON INTERVAL           one probe over and over until standard input ends
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "responder:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 2 && args[0] == "serve":
		return serve(args[1:])
	case len(args) == 1 && args[0] == "probe":
		return probeAll(os.Stdin, os.Stdout)
	case len(args) == 2 && args[0] == "inject":
		return inject(args[1], os.Stdin)
	case len(args) == 3 && args[0] == "send":
		return send(args[1], args[2], os.Stdin)
	case len(args) == 3 && (args[0] == "hold" || args[0] == "flood"):
		interval, err := time.ParseDuration(args[2])
		if err != nil {
			return err
		}
		if args[0] == "hold" {
			return hold(args[1], interval, os.Stdin, os.Stdout)
		}
		return flood(args[1], interval, os.Stdin, os.Stdout)
	}
	return fmt.Errorf("usage: responder serve [--log] tcp:PORT|udp:PORT|sctp:PORT… | probe | inject INTERFACE | send NETWORK HOST:PORT | hold URL INTERVAL | flood PROBE INTERVAL")
}
