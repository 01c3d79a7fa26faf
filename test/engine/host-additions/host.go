package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// host answers the engine. What is not here is unknown to the real host too, and the engine makes do without it.
type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	real *realHosts
}

// handOn asks the real host for the program and gives its answer.
func handOn[Request, Answer any](
	ctx context.Context, host *host, program *pulumirpc.ProgramInfo, request Request,
	call func(pulumirpc.LanguageRuntimeClient, context.Context, Request, ...grpc.CallOption) (Answer, error),
) (Answer, error) {
	client, err := host.real.of(program)
	if err != nil {
		var none Answer
		return none, err
	}
	return call(client, ctx, request)
}

func (host *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

// GetRequiredPlugins tells what a program needs to be downloaded. What a plugin needs is on PATH in the tests, and the real
// host would also name what its dependencies carry for tests of their own.
func (host *host) GetRequiredPlugins(
	ctx context.Context, request *pulumirpc.GetRequiredPluginsRequest,
) (*pulumirpc.GetRequiredPluginsResponse, error) {
	if _, err := os.Stat(filepath.Join(request.GetInfo().GetProgramDirectory(), "PulumiPlugin.yaml")); err == nil {
		return &pulumirpc.GetRequiredPluginsResponse{}, nil
	}
	return handOn(ctx, host, request.GetInfo(), request, pulumirpc.LanguageRuntimeClient.GetRequiredPlugins)
}

func (host *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	if language == "nodejs" {
		return runNode(ctx, host.real.engine, request)
	}
	return handOn(ctx, host, request.GetInfo(), request, pulumirpc.LanguageRuntimeClient.Run)
}

func (host *host) About(ctx context.Context, request *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	return handOn(ctx, host, request.GetInfo(), request, pulumirpc.LanguageRuntimeClient.About)
}

func (host *host) GetProgramDependencies(
	ctx context.Context, request *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	return handOn(ctx, host, request.GetInfo(), request, pulumirpc.LanguageRuntimeClient.GetProgramDependencies)
}

// InstallDependencies does nothing for a plugin whose dependencies are there: a checkout is not to be written to.
func (host *host) InstallDependencies(
	request *pulumirpc.InstallDependenciesRequest, answer grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	if _, err := os.Stat(filepath.Join(request.GetInfo().GetProgramDirectory(), "node_modules")); err == nil &&
		request.GetIsPlugin() && language == "nodejs" {
		return nil
	}
	client, err := host.real.of(request.GetInfo())
	if err != nil {
		return err
	}
	stream, err := client.InstallDependencies(answer.Context(), request)
	if err != nil {
		return err
	}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := answer.Send(part); err != nil {
			return err
		}
	}
}

// RunPlugin runs a Node package as a plugin, or a Node policy pack, by @pulumi/pulumi's own launcher for it. The engine gives
// its address (and flags of its own) as arguments; a policy pack's launcher wants the pack after them, a plugin's before, and a
// policy pack runs in its own folder, whose package.json tells the policy SDK its version. Unlike Pulumi's own host, this one does
// not give a pack the stack's configuration.
func (host *host) RunPlugin(
	request *pulumirpc.RunPluginRequest, answer grpc.ServerStreamingServer[pulumirpc.RunPluginResponse],
) error {
	if language != "nodejs" {
		return errors.New("only Node packages can be run as plugins")
	}
	folder := request.GetInfo().GetProgramDirectory()
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(answer, false)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	ctx := answer.Context()

	name, arguments, workingFolder := "run-plugin", append([]string{folder}, request.GetArgs()...), request.GetPwd()
	if request.GetKind() == string(apitype.AnalyzerPlugin) {
		name, arguments, workingFolder = "run-policy-pack", append(slices.Clone(request.GetArgs()), folder), folder
	}
	launcher, err := resolve(ctx, folder, "@pulumi/pulumi/cmd/"+name, stderr)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "node", append([]string{launcher}, arguments...)...)
	command.Dir = workingFolder
	command.Env = request.GetEnv()
	command.Stdout = stdout
	command.Stderr = stderr
	err = command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return answer.Send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(exit.ExitCode())},
		})
	}
	return err
}

// resolve gives the file of a module as a package in the folder would load it.
func resolve(ctx context.Context, folder, module string, stderr io.Writer) (string, error) {
	locate := exec.CommandContext(ctx, "node", "-p", fmt.Sprintf("require.resolve(%q)", module))
	locate.Dir = folder
	locate.Stderr = stderr
	file, err := locate.Output()
	if err != nil {
		return "", fmt.Errorf("@pulumi/pulumi is not installed for %s: %w", folder, err)
	}
	return strings.TrimSpace(string(file)), nil
}
