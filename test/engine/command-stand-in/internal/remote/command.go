// Package remote holds the stand-in's resources that work over SSH.
package remote

import (
	"context"
	"fmt"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"

	"hcloud-swarm.test/engine/command-stand-in/internal/capture"
)

// Logging says which of a command's streams are shown while it runs.
type Logging string

// Values lists the modes in the schema.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: "Stdout", Value: capture.LogStdout, Description: "Log stdout only"},
		{Name: "Stderr", Value: capture.LogStderr, Description: "Log stderr only"},
		{Name: "StdoutAndStderr", Value: capture.LogBoth, Description: "Log stdout and stderr"},
		{Name: "None", Value: capture.LogNone, Description: "Log nothing"},
	}
}

// Command runs commands on a host over SSH as the resource is created, updated and deleted.
type Command struct{}

// CommandInputs are the inputs of Command.
type CommandInputs struct {
	Triggers               *[]any            `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Create                 *string           `pulumi:"create,optional"`
	Update                 *string           `pulumi:"update,optional"`
	Delete                 *string           `pulumi:"delete,optional"`
	Stdin                  *string           `pulumi:"stdin,optional"`
	Logging                *Logging          `pulumi:"logging,optional"`
	Connection             Connection        `pulumi:"connection" provider:"secret"`
	Environment            map[string]string `pulumi:"environment,optional"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
}

// CommandOutputs are the inputs once more, and what the last run printed.
type CommandOutputs struct {
	CommandInputs
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command that runs on a host over SSH.")
}

// Annotate describes the inputs in the schema and sets their defaults.
func (c *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&c.Triggers, "Values whose change replaces the resource.")
	a.Describe(&c.Create, "Command to run on creation.")
	a.Describe(&c.Update, "Command to run when another input changes; unset: `create` again.")
	a.Describe(&c.Delete, "Command to run on deletion.")
	a.Describe(&c.Stdin, "What the command reads from its standard input.")
	a.Describe(&c.Logging, "Which streams are logged; default: both.")
	a.Describe(&c.Connection, "How to connect to the host.")
	a.Describe(&c.Environment, "Variables to send; the SSH server must accept each (AcceptEnv).")
	a.Describe(&c.AddPreviousOutputInEnv, "Offer the last run's outputs as variables; default: true.")
	a.SetDefault(&c.AddPreviousOutputInEnv, true)
}

// Create runs the `create` command, where there is one.
func (*Command) Create(
	ctx context.Context, req infer.CreateRequest[CommandInputs],
) (infer.CreateResponse[CommandOutputs], error) {
	state := CommandOutputs{CommandInputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun && state.CommandInputs.Create != nil {
		err = state.run(ctx, *state.CommandInputs.Create)
	}
	return infer.CreateResponse[CommandOutputs]{ID: id, Output: state}, err
}

// Update runs the `update` command, or `create` where there is none, or nothing where there is neither.
func (*Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandInputs, CommandOutputs],
) (infer.UpdateResponse[CommandOutputs], error) {
	state := CommandOutputs{CommandInputs: req.Inputs, Stdout: req.State.Stdout, Stderr: req.State.Stderr}
	command := req.Inputs.Update
	if command == nil {
		command = req.Inputs.Create
	}
	var err error
	if !req.DryRun && command != nil {
		err = state.run(ctx, *command)
	}
	return infer.UpdateResponse[CommandOutputs]{Output: state}, err
}

// Delete runs the `delete` command of the stored state, over the stored connection.
func (*Command) Delete(
	ctx context.Context, req infer.DeleteRequest[CommandOutputs],
) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	return infer.DeleteResponse{}, req.State.run(ctx, *req.State.Delete)
}

// run opens a connection of its own, runs one command and takes its outputs into the state.
func (c *CommandOutputs) run(ctx context.Context, command string) error {
	connected, err := c.Connection.dial(ctx)
	if err != nil {
		return err
	}
	defer connected.Close()
	session, err := connected.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	if err := c.setEnvironment(ctx, session); err != nil {
		return err
	}
	if c.Stdin != nil && *c.Stdin != "" {
		session.Stdin = strings.NewReader(*c.Stdin)
	}
	mode := ""
	if c.Logging != nil {
		mode = string(*c.Logging)
	}
	output := capture.New(ctx, mode)
	session.Stdout, session.Stderr = output.Stdout(), output.Stderr()

	// A cancelled deployment interrupts the command and gives the connection up.
	stop := context.AfterFunc(ctx, func() {
		_ = session.Signal(ssh.SIGINT)
		_ = connected.Close()
	})
	err = session.Run(command)
	output.Flush()
	if !stop() {
		err = fmt.Errorf("cancelled: %w", ctx.Err())
	}
	if err != nil {
		return output.Failure(err, command)
	}
	c.Stdout, c.Stderr = output.Outputs()
	return nil
}

// setEnvironment sends the variables. A server that refuses one of the user's is an error; one that refuses the
// previous outputs gets a warning only.
func (c *CommandOutputs) setEnvironment(ctx context.Context, session *ssh.Session) error {
	const hint = "Unable to set '%s'. The SSH server must accept it (AcceptEnv). " +
		"Where a shell runs the command, 'NAME=value command' does the same"
	for name, value := range c.Environment {
		if err := session.Setenv(name, value); err != nil {
			p.GetLogger(ctx).Errorf(hint, name)
			return fmt.Errorf("could not set environment variable %q: %w", name, err)
		}
	}
	if c.AddPreviousOutputInEnv != nil && !*c.AddPreviousOutputInEnv {
		return nil
	}
	previous := []struct{ name, value string }{
		{capture.StdoutVariable, c.Stdout},
		{capture.StderrVariable, c.Stderr},
	}
	for _, variable := range previous {
		if variable.value == "" {
			continue
		}
		if err := session.Setenv(variable.name, variable.value); err != nil {
			p.GetLogger(ctx).Warningf(hint, variable.name)
		}
	}
	return nil
}
