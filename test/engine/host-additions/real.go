package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// flagsOf names, for each language, the options of a program that the real host takes as flags.
var flagsOf = map[string][]string{
	"nodejs": {"typescript", "tsconfig", "nodeargs"},
	"python": {"virtualenv"},
}

// realHosts are the running real hosts: one for each set of options, because they are flags.
type realHosts struct {
	engine  string
	mutex   sync.Mutex
	clients map[string]pulumirpc.LanguageRuntimeClient
	running []*exec.Cmd
}

func newRealHosts(engine string) *realHosts {
	return &realHosts{engine: engine, clients: map[string]pulumirpc.LanguageRuntimeClient{}}
}

// of gives the real host for a program, and starts it the first time. Without a program it has no options.
func (hosts *realHosts) of(program *pulumirpc.ProgramInfo) (pulumirpc.LanguageRuntimeClient, error) {
	flags := flagsFor(program)
	key := strings.Join(flags, "\x00")
	hosts.mutex.Lock()
	defer hosts.mutex.Unlock()
	if client, started := hosts.clients[key]; started {
		return client, nil
	}
	client, err := hosts.start(flags)
	if err != nil {
		return nil, fmt.Errorf("Pulumi's own language host for %s: %w", language, err)
	}
	hosts.clients[key] = client
	return client, nil
}

func flagsFor(program *pulumirpc.ProgramInfo) []string {
	if program == nil {
		return nil
	}
	options := program.GetOptions().AsMap()
	flags := []string{"-root=" + program.GetRootDirectory()}
	for _, name := range flagsOf[language] {
		if value, given := options[name]; given {
			flags = append(flags, fmt.Sprintf("-%s=%v", name, value))
		}
	}
	sort.Strings(flags)
	return flags
}

func (hosts *realHosts) start(flags []string) (pulumirpc.LanguageRuntimeClient, error) {
	binary, err := besides("real-language-" + language)
	if err != nil {
		return nil, err
	}
	command := exec.Command(binary, append(flags, hosts.engine)...)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	hosts.running = append(hosts.running, command)
	reader := bufio.NewReader(stdout)
	port, err := reader.ReadString('\n')
	if err != nil {
		return nil, errors.New("it ended before it told its port")
	}
	go func() { _, _ = reader.WriteTo(os.Stderr) }()
	connection, err := grpc.NewClient("127.0.0.1:"+strings.TrimSpace(port),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(400*1024*1024)))
	if err != nil {
		return nil, err
	}
	return pulumirpc.NewLanguageRuntimeClient(connection), nil
}

func (hosts *realHosts) close() {
	hosts.mutex.Lock()
	defer hosts.mutex.Unlock()
	for _, command := range hosts.running {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
}

// besides finds a program next to this one as it was called (a link, in the tests), else on PATH.
func besides(name string) (string, error) {
	candidate := filepath.Join(filepath.Dir(os.Args[0]), name)
	if filepath.IsAbs(candidate) {
		if _, err := os.Stat(candidate); err == nil {
			return candidate, nil
		}
	}
	return exec.LookPath(name)
}
