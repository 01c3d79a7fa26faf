package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Probe is one question: does this port answer, seen from here?
type Probe struct {
	ID string `json:"id"`
	// Network is tcp4, tcp6, udp4, udp6, sctp4 or sctp6.
	Network string `json:"network"`
	Address string `json:"address"`
	Port    int    `json:"port"`
	// Kind is "answer" (the responder's greeting must come back) or "connect" (TCP only: the handshake suffices, for
	// services that are not ours, such as swarm's).
	Kind string `json:"kind"`
	// TimeoutMs bounds one attempt; Attempts are made until one succeeds.
	TimeoutMs int `json:"timeoutMs"`
	Attempts  int `json:"attempts"`
	// Request is sent and Expect must come back, for answers of services that are not ours. Default: a request for our
	// greeting, and the greeting.
	Request string `json:"request"`
	Expect  string `json:"expect"`
	// SourcePort is the port to dial from; 0 for any.
	SourcePort int `json:"sourcePort"`
}

// Result says what came back.
type Result struct {
	ID   string `json:"id"`
	Open bool   `json:"open"`
	// Reached: somebody there took the packet, whether or not the answer was the expected one. A refusal says so as well.
	Reached bool   `json:"reached"`
	Detail  string `json:"detail"`
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
		detail, connected, err := p.once()
		result.Reached = result.Reached || connected || errors.Is(err, syscall.ECONNREFUSED)
		if err == nil {
			result.Open, result.Detail = true, detail
			return result
		}
		result.Detail = err.Error()
	}
	return result
}

// once also tells whether there was a handshake, which UDP has none of.
func (p Probe) once() (detail string, connected bool, err error) {
	timeout := time.Duration(p.TimeoutMs) * time.Millisecond
	connection, err := p.dial(timeout)
	if err != nil {
		return "", false, err
	}
	defer connection.Close()
	if p.Kind == "connect" {
		return "connected", true, nil
	}
	detail, err = p.exchange(connection)
	return detail, err == nil || !strings.HasPrefix(p.Network, "udp"), err
}

func (p Probe) exchange(connection io.ReadWriter) (string, error) {
	request := p.Request
	if request == "" {
		request = "GET / HTTP/1.0\r\nHost: probe\r\n\r\n"
	}
	if _, err := io.WriteString(connection, request); err != nil {
		return "", err
	}
	answer := make([]byte, 4096)
	read := 0
	for read < len(answer) {
		n, err := connection.Read(answer[read:])
		read += max(n, 0)
		if line := p.expected(answer[:read]); line != "" {
			return line, nil
		}
		if err != nil {
			return "", fmt.Errorf("not what was expected in %d bytes: %w", read, err)
		}
		if n == 0 {
			break
		}
	}
	return "", fmt.Errorf("not what was expected in %d bytes", read)
}

func (p Probe) dial(timeout time.Duration) (io.ReadWriteCloser, error) {
	if strings.HasPrefix(p.Network, "sctp") {
		return dialSCTP(p.Address, p.Port, timeout)
	}
	dialer := net.Dialer{Timeout: timeout}
	if p.SourcePort != 0 {
		if strings.HasPrefix(p.Network, "udp") {
			dialer.LocalAddr = &net.UDPAddr{Port: p.SourcePort}
		} else {
			dialer.LocalAddr = &net.TCPAddr{Port: p.SourcePort}
		}
	}
	connection, err := dialer.Dial(p.Network, net.JoinHostPort(p.Address, strconv.Itoa(p.Port)))
	if err != nil {
		return nil, err
	}
	return connection, connection.SetDeadline(time.Now().Add(timeout))
}

func (p Probe) expected(answer []byte) string {
	if p.Expect == "" {
		return greetingLine(answer)
	}
	if bytes.Contains(answer, []byte(p.Expect)) {
		return fmt.Sprintf("%q in the answer", p.Expect)
	}
	return ""
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
