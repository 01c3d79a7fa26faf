package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// inject puts Ethernet frames on the wire as they are, one a line in hex: what no socket would send.
func inject(name string, in io.Reader) error {
	device, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<16)
	for lines.Scan() {
		frame, err := hex.DecodeString(strings.TrimSpace(lines.Text()))
		if err != nil {
			return err
		}
		if err := syscall.Sendto(socket, frame, 0, &syscall.SockaddrLinklayer{Ifindex: device.Index}); err != nil {
			return fmt.Errorf("frame of %d bytes on %s: %w", len(frame), name, err)
		}
	}
	return lines.Err()
}

// send sends datagrams with the payloads given as lines in hex, and expects nothing back.
func send(network, address string, in io.Reader) error {
	connection, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	defer connection.Close()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<16)
	for lines.Scan() {
		payload, err := hex.DecodeString(strings.TrimSpace(lines.Text()))
		if err != nil {
			return err
		}
		// Nobody there is no failure: an ICMP error of the packet before is reported on the next.
		_, _ = connection.Write(payload)
	}
	return lines.Err()
}
