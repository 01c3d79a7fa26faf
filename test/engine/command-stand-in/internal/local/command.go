// Package local holds the stand-in's resource that runs commands on this machine.
package local

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gobwas/glob"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"

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

// Command runs commands on this machine as the resource is created, updated and deleted.
type Command struct{}

// CommandInputs are the inputs of Command.
type CommandInputs struct {
	Triggers               *[]any            `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Create                 *string           `pulumi:"create,optional"`
	Update                 *string           `pulumi:"update,optional"`
	Delete                 *string           `pulumi:"delete,optional"`
	Stdin                  *string           `pulumi:"stdin,optional"`
	Logging                *Logging          `pulumi:"logging,optional"`
	Interpreter            *[]string         `pulumi:"interpreter,optional"`
	Dir                    *string           `pulumi:"dir,optional"`
	Environment            map[string]string `pulumi:"environment,optional"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
	AssetPaths             *[]string         `pulumi:"assetPaths,optional"`
	ArchivePaths           *[]string         `pulumi:"archivePaths,optional"`
}

// CommandOutputs are the inputs once more, and what the last run printed and left behind.
type CommandOutputs struct {
	CommandInputs
	Stdout  string                   `pulumi:"stdout"`
	Stderr  string                   `pulumi:"stderr"`
	Assets  *map[string]*asset.Asset `pulumi:"assets,optional"`
	Archive *archive.Archive         `pulumi:"archive,optional"`
}

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command that runs on this machine.")
}

// Annotate describes the inputs in the schema and sets their defaults.
func (c *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&c.Triggers, "Values whose change replaces the resource.")
	a.Describe(&c.Create, "Command to run on creation.")
	a.Describe(&c.Update, "Command to run when another input changes; unset: `create` again.")
	a.Describe(&c.Delete, "Command to run on deletion.")
	a.Describe(&c.Stdin, "What the command reads from its standard input.")
	a.Describe(&c.Logging, "Which streams are logged; default: both.")
	a.Describe(&c.Interpreter, "Program and arguments before the command; default: /bin/sh -c.")
	a.Describe(&c.Dir, "Working directory; default: the provider's.")
	a.Describe(&c.Environment, "Variables of the command, beside the provider's own.")
	a.Describe(&c.AddPreviousOutputInEnv, "Give the last run's outputs as variables; default: true.")
	a.SetDefault(&c.AddPreviousOutputInEnv, true)
	a.Describe(&c.AssetPaths, "Globs of files to return as assets; a leading ! takes files out again.")
	a.Describe(&c.ArchivePaths, "Globs of files to return as one archive.")
}

// Create runs the `create` command, where there is one.
func (*Command) Create(
	ctx context.Context, req infer.CreateRequest[CommandInputs],
) (infer.CreateResponse[CommandOutputs], error) {
	state := CommandOutputs{CommandInputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun && req.Inputs.Create != nil {
		err = state.run(ctx, *req.Inputs.Create)
	}
	return infer.CreateResponse[CommandOutputs]{ID: id, Output: state}, err
}

// Update runs the `update` command, or `create` where there is none, or nothing where there is neither.
func (*Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandInputs, CommandOutputs],
) (infer.UpdateResponse[CommandOutputs], error) {
	state := req.State
	state.CommandInputs = req.Inputs
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

// Delete runs the `delete` command of the stored state.
func (*Command) Delete(
	ctx context.Context, req infer.DeleteRequest[CommandOutputs],
) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	return infer.DeleteResponse{}, req.State.run(ctx, *req.State.Delete)
}

// run runs one command and takes its outputs into the state. A cancelled context kills it.
func (c *CommandOutputs) run(ctx context.Context, command string) error {
	words := []string{"/bin/sh", "-c"}
	if c.Interpreter != nil && len(*c.Interpreter) > 0 {
		words = *c.Interpreter
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	if c.Dir != nil {
		dir = *c.Dir
	}
	mode := ""
	if c.Logging != nil {
		mode = string(*c.Logging)
	}
	output := capture.New(ctx, mode)
	process := exec.CommandContext(ctx, words[0], append(words[1:len(words):len(words)], command)...)
	process.Dir, process.Env = dir, c.environment()
	process.Stdout, process.Stderr = output.Stdout(), output.Stderr()
	if c.Stdin != nil && *c.Stdin != "" {
		process.Stdin = strings.NewReader(*c.Stdin)
	}
	err = process.Run()
	output.Flush()
	if err != nil {
		return output.Failure(err, command)
	}
	if c.AssetPaths != nil {
		assets, err := matchingAssets(dir, *c.AssetPaths)
		if err != nil {
			return err
		}
		c.Assets = &assets
	}
	if c.ArchivePaths != nil {
		assets, err := matchingAssets(dir, *c.ArchivePaths)
		if err != nil {
			return err
		}
		contents := make(map[string]any, len(assets))
		for name, file := range assets {
			contents[name] = file
		}
		if c.Archive, err = archive.FromAssets(contents); err != nil {
			return err
		}
	}
	c.Stdout, c.Stderr = output.Outputs()
	return nil
}

func (c *CommandOutputs) environment() []string {
	env := os.Environ()
	for name, value := range c.Environment {
		env = append(env, name+"="+value)
	}
	if c.AddPreviousOutputInEnv != nil && !*c.AddPreviousOutputInEnv {
		return env
	}
	if c.Stdout != "" {
		env = append(env, capture.StdoutVariable+"="+c.Stdout)
	}
	if c.Stderr != "" {
		env = append(env, capture.StderrVariable+"="+c.Stderr)
	}
	return env
}

// matchingAssets returns the files below dir that the globs select; the last glob that matches a file decides.
func matchingAssets(dir string, globs []string) (map[string]*asset.Asset, error) {
	type rule struct {
		matcher *glob.Pattern
		exclude bool
	}
	rules := make([]rule, 0, len(globs))
	for _, text := range globs {
		matcher, err := glob.Compile(strings.TrimPrefix(text, "!"), '/')
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule{matcher, strings.HasPrefix(text, "!")})
	}
	selected := map[string]*asset.Asset{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		keep := false
		for _, rule := range rules {
			if rule.matcher.Match(name) {
				keep = !rule.exclude
			}
		}
		if keep {
			selected[name], err = asset.FromPath(filepath.Join(dir, name))
		}
		return err
	})
	return selected, err
}
