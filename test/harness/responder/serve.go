package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// greeting is what every answer starts with; a probe counts nothing else as an answer.
const greeting = "hcloud-swarm responder "

// serve listens on every given port, both families, and answers with this host's name and the port it came in on. With
// `--log` before the ports it also prints every payload that it receives: the judge of attacks that wait for no answer.
func serve(listeners []string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	logged := listeners[0] == "--log"
	if logged {
		listeners = listeners[1:]
	}
	failed := make(chan error)
	for _, listener := range listeners {
		protocol, port, found := strings.Cut(listener, ":")
		number, err := strconv.Atoi(port)
		if !found || err != nil {
			return fmt.Errorf("%q is not tcp:PORT, udp:PORT or sctp:PORT", listener)
		}
		answer := greeting + name + " " + listener + "\n"
		received := func(from, payload string) {
			if logged {
				fmt.Printf("received %s from %s: %q\n", listener, from, payload)
			}
		}
		switch protocol {
		case "tcp":
			go func() { failed <- serveHTTP(port, answer, received) }()
		case "udp":
			go func() { failed <- serveUDP(port, answer, received) }()
		case "sctp":
			go func() { failed <- serveSCTP(number, answer, received) }()
		default:
			return fmt.Errorf("%q is not tcp:PORT, udp:PORT or sctp:PORT", listener)
		}
	}
	return <-failed
}

func serveHTTP(port, answer string, received func(from, payload string)) error {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received(r.RemoteAddr, r.URL.String())
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, fmt.Sprintf("%sfrom %s\n", answer, r.RemoteAddr))
	})
	return http.ListenAndServe(":"+port, handler)
}

func serveUDP(port, answer string, received func(from, payload string)) error {
	connection, err := net.ListenPacket("udp", ":"+port)
	if err != nil {
		return err
	}
	buffer := make([]byte, 2048)
	for {
		n, from, err := connection.ReadFrom(buffer)
		if err != nil {
			return err
		}
		received(from.String(), string(buffer[:n]))
		// A forged source may be one that nothing can be sent to.
		_, _ = connection.WriteTo([]byte(answer), from)
	}
}
