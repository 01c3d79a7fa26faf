// What Pulumi runs for programs in other languages. It exports nothing: Pulumi would look through what it exports for a schema.
//
// Pulumi installs a plugin's dependencies before it runs it. This folder's are above it, installed with the package, and it is not the
// package's own folder so that they are not installed once more. It depends on its own subfolder because some versions of Pulumi fail
// where nothing is installed.
require("../../dist/plugin.js").serve(process.argv.slice(2));
