package main

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// The standard library knows no SCTP; one-to-one sockets behave like TCP's.
const protocolSCTP = 132

func sctpAddress(address string, port int) (int, syscall.Sockaddr, error) {
	ip := net.ParseIP(address)
	if ip == nil {
		return 0, nil, fmt.Errorf("%q is no address", address)
	}
	if four := ip.To4(); four != nil {
		return syscall.AF_INET, &syscall.SockaddrInet4{Port: port, Addr: [4]byte(four)}, nil
	}
	return syscall.AF_INET6, &syscall.SockaddrInet6{Port: port, Addr: [16]byte(ip.To16())}, nil
}

// dialSCTP connects within the time-out, which then bounds each read and write too.
func dialSCTP(address string, port int, timeout time.Duration) (*os.File, error) {
	family, to, err := sctpAddress(address, port)
	if err != nil {
		return nil, err
	}
	socket, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, protocolSCTP)
	if err != nil {
		return nil, fmt.Errorf("sctp socket: %w", err)
	}
	file := os.NewFile(uintptr(socket), "sctp")
	limit := syscall.NsecToTimeval(timeout.Nanoseconds())
	for _, option := range []int{syscall.SO_SNDTIMEO, syscall.SO_RCVTIMEO} {
		if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, option, &limit); err != nil {
			file.Close()
			return nil, err
		}
	}
	if err := syscall.Connect(socket, to); err != nil {
		file.Close()
		return nil, fmt.Errorf("sctp connect: %w", err)
	}
	return file, nil
}

func serveSCTP(port int, answer string, received func(from, payload string)) error {
	socket, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, protocolSCTP)
	if err != nil {
		return fmt.Errorf("sctp socket: %w", err)
	}
	if err := syscall.Bind(socket, &syscall.SockaddrInet6{Port: port}); err != nil {
		return err
	}
	if err := syscall.Listen(socket, 16); err != nil {
		return err
	}
	for {
		client, _, err := syscall.Accept(socket)
		if err != nil {
			return err
		}
		go func() {
			file := os.NewFile(uintptr(client), "sctp")
			defer file.Close()
			buffer := make([]byte, 2048)
			if n, err := file.Read(buffer); err == nil {
				received("sctp", string(buffer[:n]))
				_, _ = file.WriteString(answer)
			}
		}()
	}
}
