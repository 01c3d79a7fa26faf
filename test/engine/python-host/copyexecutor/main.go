// Command copyexecutor copies the script with which the Python language host runs a program, pulumi-language-python-exec,
// out of the Go module that the host is built from. The host looks for it beside itself.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: copyexecutor TARGET"))
	}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi/sdk/v3").Output()
	if err != nil {
		fail(err)
	}
	script := filepath.Join(strings.TrimSpace(string(module)), "python", "cmd", "pulumi-language-python-exec")
	text, err := os.ReadFile(script)
	if err != nil {
		fail(err)
	}
	if err := os.WriteFile(os.Args[1], text, 0o755); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
