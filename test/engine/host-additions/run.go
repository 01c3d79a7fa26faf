package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// nodeSaidWhy is what @pulumi/pulumi's launcher exits with when the person has been told already.
const nodeSaidWhy = 32

// runNode runs a Node program by @pulumi/pulumi's own launcher, with the engine's own resource monitor. The real host puts one
// of its own between them, which does not know what the engine has learned since, such as hooks. Synchronous invokes, which
// need that one, are not for programs of today.
func runNode(ctx context.Context, engine string, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	// What is absent is empty for the launcher, not null.
	values := map[string]string{}
	maps.Copy(values, request.GetConfig())
	config, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(append([]string{}, request.GetConfigSecretKeys()...))
	if err != nil {
		return nil, err
	}
	launcher, err := resolve(ctx, request.GetInfo().GetProgramDirectory(), "@pulumi/pulumi/cmd/run", os.Stderr)
	if err != nil {
		return nil, err
	}
	options := request.GetInfo().GetOptions().AsMap()
	environment := append(os.Environ(), "PULUMI_CONFIG="+string(config), "PULUMI_CONFIG_SECRET_KEYS="+string(secrets))
	if options["typescript"] != false {
		environment = append(environment, "PULUMI_NODEJS_TYPESCRIPT=true")
	}
	if tsconfig, given := options["tsconfig"].(string); given {
		environment = append(environment, "PULUMI_NODEJS_TSCONFIG_PATH="+tsconfig)
	}
	var arguments []string
	if flags, given := options["nodeargs"].(string); given {
		arguments = strings.Fields(flags)
	}
	arguments = append(arguments, launcher,
		"--monitor", request.GetMonitorAddress(), "--engine", engine,
		"--organization", request.GetOrganization(), "--project", request.GetProject(), "--stack", request.GetStack(),
		"--pwd", request.GetPwd(), "--parallel", strconv.Itoa(int(request.GetParallel())),
		"--root-directory", request.GetInfo().GetRootDirectory())
	if request.GetDryRun() {
		arguments = append(arguments, "--dry-run")
	}
	program := request.GetInfo().GetEntryPoint()
	if program == "" {
		program = "."
	}
	command := exec.Command("node", append(append(arguments, program), request.GetArgs()...)...) //nolint:gosec
	command.Dir = request.GetPwd()
	command.Env = environment
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	err = command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case errors.As(err, &exit) && exit.ExitCode() == nodeSaidWhy:
		return &pulumirpc.RunResponse{Bail: true}, nil
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program failed: %s", err)}, nil
	}
}
