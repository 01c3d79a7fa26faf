package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// Probe is one question: does this port answer, seen from here?
type Probe struct {
	ID string `json:"id"`
	// Network is tcp4, tcp6, udp4 or udp6.
	Network string `json:"network"`
	Address string `json:"address"`
	Port    int    `json:"port"`
	// Kind is "answer" (the responder's greeting must come back) or "connect" (TCP only: the handshake suffices, for
	// services that are not ours, such as swarm's).
	Kind string `json:"kind"`
	// TimeoutMs bounds one attempt; Attempts are made until one succeeds.
	TimeoutMs int `json:"timeoutMs"`
	Attempts  int `json:"attempts"`
}

// Result says what came back.
type Result struct {
	ID     string `json:"id"`
	Open   bool   `json:"open"`
	Detail string `json:"detail"`
}

func probeAll(in io.Reader, out io.Writer) error {
	var probes []Probe
	if err := json.NewDecoder(in).Decode(&probes); err != nil {
		return fmt.Errorf("probes: %w", err)
	}
	results := make([]Result, len(probes))
	var group sync.WaitGroup
	for i, probe := range probes {
		group.Add(1)
		go func() {
			defer group.Done()
			results[i] = probe.ask()
		}()
	}
	group.Wait()
	return json.NewEncoder(out).Encode(results)
}

func (p Probe) ask() Result {
	result := Result{ID: p.ID}
	for range max(p.Attempts, 1) {
		detail, err := p.once()
		if err == nil {
			result.Open, result.Detail = true, detail
			return result
		}
		result.Detail = err.Error()
	}
	return result
}

func (p Probe) once() (string, error) {
	timeout := time.Duration(p.TimeoutMs) * time.Millisecond
	connection, err := net.DialTimeout(p.Network, net.JoinHostPort(p.Address, strconv.Itoa(p.Port)), timeout)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	if p.Kind == "connect" {
		return "connected", nil
	}
	if err := connection.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	request := "GET / HTTP/1.0\r\nHost: probe\r\n\r\n"
	if _, err := io.WriteString(connection, request); err != nil {
		return "", err
	}
	answer := make([]byte, 4096)
	read := 0
	for read < len(answer) {
		n, err := connection.Read(answer[read:])
		read += n
		if line := greetingLine(answer[:read]); line != "" {
			return line, nil
		}
		if err != nil {
			return "", fmt.Errorf("no greeting in %d bytes: %w", read, err)
		}
	}
	return "", fmt.Errorf("no greeting in %d bytes", read)
}

func greetingLine(answer []byte) string {
	start := bytes.Index(answer, []byte(greeting))
	if start < 0 {
		return ""
	}
	line, _, complete := bytes.Cut(answer[start:], []byte("\n"))
	if !complete {
		return ""
	}
	return string(line)
}
