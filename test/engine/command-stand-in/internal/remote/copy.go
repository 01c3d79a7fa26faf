package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/sftp"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// CopyToRemote copies a file, a text or a directory to a host over SFTP.
type CopyToRemote struct{}

// CopyToRemoteInputs are the inputs of CopyToRemote.
type CopyToRemoteInputs struct {
	Connection Connection           `pulumi:"connection" provider:"secret"`
	Triggers   *[]any               `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Source     types.AssetOrArchive `pulumi:"source"`
	RemotePath string               `pulumi:"remotePath"`
}

// CopyToRemoteOutputs are the inputs once more.
type CopyToRemoteOutputs struct{ CopyToRemoteInputs }

// Annotate describes the resource in the schema.
func (c *CopyToRemote) Annotate(a infer.Annotator) {
	a.Describe(&c, "A copy of a local file, text or directory on a host.")
}

// Annotate describes the inputs in the schema.
func (c *CopyToRemoteInputs) Annotate(a infer.Annotator) {
	a.Describe(&c.Connection, "How to connect to the host.")
	a.Describe(&c.Triggers, "Values whose change replaces the resource.")
	a.Describe(&c.Source, "File asset, string asset or file archive to copy.")
	a.Describe(&c.RemotePath, "Path on the host.")
}

// Check accepts what Create can copy: an asset that is a file or a text, or an archive that is a path.
func (*CopyToRemote) Check(
	ctx context.Context, req infer.CheckRequest,
) (infer.CheckResponse[CopyToRemoteInputs], error) {
	inputs, failures, err := infer.DefaultCheck[CopyToRemoteInputs](ctx, req.NewInputs)
	refuse := func(reason string) {
		failures = append(failures, p.CheckFailure{Property: "source", Reason: reason})
	}
	source := inputs.Source
	unknown := req.NewInputs.Get("source").HasComputed()
	switch {
	case err != nil || len(failures) > 0 || unknown:
	case source.Asset != nil && source.Archive != nil:
		refuse("give an asset or an archive, not both")
	case source.Asset == nil && source.Archive == nil:
		refuse("give an asset or an archive")
	case source.Asset != nil && !source.Asset.IsPath() && !source.Asset.IsText():
		refuse("the asset must be a file or a text")
	case source.Archive != nil && !source.Archive.IsPath():
		refuse("the archive must be the path of a file or a directory")
	}
	return infer.CheckResponse[CopyToRemoteInputs]{Inputs: inputs, Failures: failures}, err
}

// Create copies the source.
func (*CopyToRemote) Create(
	ctx context.Context, req infer.CreateRequest[CopyToRemoteInputs],
) (infer.CreateResponse[CopyToRemoteOutputs], error) {
	id, err := resource.NewUniqueHex("", 8, 0)
	if err == nil && !req.DryRun {
		err = req.Inputs.copy(ctx)
	}
	return infer.CreateResponse[CopyToRemoteOutputs]{ID: id, Output: CopyToRemoteOutputs{req.Inputs}}, err
}

// Update copies the source again if it or the remote path changed; a new connection alone copies nothing.
func (*CopyToRemote) Update(
	ctx context.Context, req infer.UpdateRequest[CopyToRemoteInputs, CopyToRemoteOutputs],
) (infer.UpdateResponse[CopyToRemoteOutputs], error) {
	var err error
	if !req.DryRun && (req.Inputs.hash() != req.State.hash() || req.Inputs.RemotePath != req.State.RemotePath) {
		err = req.Inputs.copy(ctx)
	}
	return infer.UpdateResponse[CopyToRemoteOutputs]{Output: CopyToRemoteOutputs{req.Inputs}}, err
}

func (c *CopyToRemoteInputs) hash() string {
	if c.Source.Asset != nil {
		return c.Source.Asset.Hash
	}
	if c.Source.Archive != nil {
		return c.Source.Archive.Hash
	}
	return ""
}

func (c *CopyToRemoteInputs) copy(ctx context.Context) error {
	connected, err := c.Connection.dial(ctx)
	if err != nil {
		return err
	}
	defer connected.Close()
	stop := context.AfterFunc(ctx, func() { _ = connected.Close() })
	defer stop()
	files, err := sftp.NewClient(connected.Client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return err
	}
	defer files.Close()

	if asset := c.Source.Asset; asset != nil && asset.IsText() {
		return copyText(files, asset.Text, c.RemotePath)
	} else if asset != nil {
		return copyPath(files, asset.Path, c.RemotePath)
	}
	return copyPath(files, c.Source.Archive.Path, c.RemotePath)
}

// remoteStat is nil, without an error, for a path that does not exist.
func remoteStat(files *sftp.Client, name string) (fs.FileInfo, error) {
	info, err := files.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("remote path %s: %w", name, err)
	}
	return info, nil
}

func copyText(files *sftp.Client, text, target string) error {
	info, err := remoteStat(files, target)
	if err != nil {
		return err
	}
	if info != nil && info.IsDir() {
		return fmt.Errorf("remote path %s is a directory; a text needs the path of a file", target)
	}
	return writeFile(files, strings.NewReader(text), target)
}

// copyPath copies like cp: a file into an existing directory keeps its name; a directory without a trailing slash
// becomes a directory of its name below the target, one with a trailing slash pours its contents into it.
func copyPath(files *sftp.Client, source, target string) error {
	local, err := os.Stat(source)
	if err != nil {
		return err
	}
	remote, err := remoteStat(files, target)
	if err != nil {
		return err
	}
	if !local.IsDir() {
		if remote != nil && remote.IsDir() {
			target = path.Join(target, filepath.Base(source))
		}
		return copyFile(files, source, target)
	}
	if err := makeDirectory(files, target); err != nil {
		return err
	}
	if !strings.HasSuffix(source, "/") {
		target = path.Join(target, filepath.Base(source))
	}
	return filepath.WalkDir(source, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(source, name)
		if err != nil {
			return err
		}
		remoteName := path.Join(target, filepath.ToSlash(below))
		if entry.IsDir() {
			return makeDirectory(files, remoteName)
		}
		return copyFile(files, name, remoteName)
	})
}

func makeDirectory(files *sftp.Client, name string) error {
	info, err := remoteStat(files, name)
	if err != nil {
		return err
	}
	if info != nil {
		if info.IsDir() {
			return nil
		}
		return fmt.Errorf("remote path %s exists but is not a directory", name)
	}
	if err := files.Mkdir(name); err != nil {
		return fmt.Errorf("cannot make remote directory %s: %w", name, err)
	}
	return nil
}

func copyFile(files *sftp.Client, source, target string) error {
	local, err := os.Open(source)
	if err != nil {
		return err
	}
	defer local.Close()
	return writeFile(files, local, target)
}

func writeFile(files *sftp.Client, content io.Reader, target string) error {
	remote, err := files.Create(target)
	if err != nil {
		return fmt.Errorf("cannot create remote file %s: %w", target, err)
	}
	_, err = remote.ReadFrom(content)
	if closeErr := remote.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("cannot write remote file %s: %w", target, err)
	}
	return nil
}
