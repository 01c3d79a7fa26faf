package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
)

// greeting is what every answer starts with; a probe counts nothing else as an answer.
const greeting = "hcloud-swarm responder "

// serve listens on every given port, both families, and answers with this host's name and the port it came in on.
func serve(listeners []string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	failed := make(chan error)
	for _, listener := range listeners {
		protocol, port, found := strings.Cut(listener, ":")
		if !found || (protocol != "tcp" && protocol != "udp") {
			return fmt.Errorf("%q is not tcp:PORT or udp:PORT", listener)
		}
		answer := greeting + name + " " + listener + "\n"
		if protocol == "tcp" {
			go func() { failed <- serveHTTP(port, answer) }()
		} else {
			go func() { failed <- serveUDP(port, answer) }()
		}
	}
	return <-failed
}

func serveHTTP(port, answer string) error {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "%sfrom %s\n", answer, r.RemoteAddr)
	})
	return http.ListenAndServe(":"+port, handler)
}

func serveUDP(port, answer string) error {
	connection, err := net.ListenPacket("udp", ":"+port)
	if err != nil {
		return err
	}
	buffer := make([]byte, 2048)
	for {
		_, from, err := connection.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if _, err := connection.WriteTo([]byte(answer), from); err != nil {
			return err
		}
	}
}
