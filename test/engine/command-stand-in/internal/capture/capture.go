// Package capture collects what a command prints: both streams apart for the outputs, both in order for the error
// message, and line by line for the log that Pulumi shows.
package capture

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
)

// Names of the variables that carry the previous run's outputs.
const (
	StdoutVariable = "PULUMI_COMMAND_STDOUT"
	StderrVariable = "PULUMI_COMMAND_STDERR"
)

// Modes of the `logging` input.
const (
	LogStdout = "stdout"
	LogStderr = "stderr"
	LogBoth   = "stdoutAndStderr"
	LogNone   = "none"
)

// Capture holds the output of one run. Make one with New; call Flush when the command has ended.
type Capture struct {
	mu             sync.Mutex
	out, err, both bytes.Buffer
	stdout, stderr stream
}

type stream struct {
	capture *Capture
	own     *bytes.Buffer
	log     func(line string)
	partial []byte
}

// New returns a Capture that logs as status lines what mode says ("" means both streams).
func New(ctx context.Context, mode string) *Capture {
	log := p.GetLogger(ctx).InfoStatus
	c := &Capture{}
	c.stdout = stream{capture: c, own: &c.out}
	c.stderr = stream{capture: c, own: &c.err}
	if mode == "" || mode == LogBoth || mode == LogStdout {
		c.stdout.log = log
	}
	if mode == "" || mode == LogBoth || mode == LogStderr {
		c.stderr.log = log
	}
	return c
}

// Stdout is where the command's standard output goes.
func (c *Capture) Stdout() io.Writer { return &c.stdout }

// Stderr is where the command's standard error goes.
func (c *Capture) Stderr() io.Writer { return &c.stderr }

func (s *stream) Write(data []byte) (int, error) {
	s.capture.mu.Lock()
	defer s.capture.mu.Unlock()
	s.own.Write(data)
	s.capture.both.Write(data)
	if s.log == nil {
		return len(data), nil
	}
	s.partial = append(s.partial, data...)
	for {
		end := bytes.IndexByte(s.partial, '\n')
		if end < 0 {
			return len(data), nil
		}
		s.log(strings.TrimSuffix(string(s.partial[:end]), "\r"))
		s.partial = s.partial[end+1:]
	}
}

// Flush logs what is left of a last line without a newline.
func (c *Capture) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range []*stream{&c.stdout, &c.stderr} {
		if s.log != nil && len(s.partial) > 0 {
			s.log(string(s.partial))
		}
		s.partial = nil
	}
}

// Outputs returns both streams, each without one trailing newline.
func (c *Capture) Outputs() (stdout, stderr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimSuffix(c.out.String(), "\n"), strings.TrimSuffix(c.err.String(), "\n")
}

// Failure is the error of a command that did not end well: like the official provider's it prints the whole command
// and all of its output, so neither may hold a secret.
func (c *Capture) Failure(cause error, command string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("%w: running %q:\n%s", cause, command, c.both.String())
}
