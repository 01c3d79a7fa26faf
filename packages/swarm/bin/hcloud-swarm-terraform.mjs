#!/usr/bin/env node
// `terraform show -json | hcloud-swarm-terraform > import.json`: a file for `pulumi import --file import.json`.
import { readFileSync } from "node:fs";
import { argv, exit, stderr, stdout } from "node:process";
import imports from "../dist/terraform/imports.js";

const usage = `usage: terraform show -json | hcloud-swarm-terraform > import.json

Reads on standard input, or from the file that is named, what Terraform knows, and prints what \`pulumi import --file\` takes.
What is left out is told on standard error. See docs/terraform.md.
Exits with 0; 1 when nothing could be taken over; 2 when the input is something else.
`;

const [file, ...rest] = argv.slice(2);
if (rest.length > 0 || file?.startsWith("-")) {
  stderr.write(usage);
  exit(file === "--help" || file === "-h" ? 0 : 2);
}
try {
  const { resources, left } = imports.terraformImports(readFileSync(file ?? 0, "utf8"));
  for (const { address, reason } of left) stderr.write(`left out: ${address}: ${reason}\n`);
  stderr.write(`${resources.length} resources to import\n`);
  stdout.write(`${JSON.stringify({ resources }, null, 2)}\n`);
  exit(resources.length > 0 ? 0 : 1);
} catch (error) {
  stderr.write(`hcloud-swarm-terraform: ${error.message}\n`);
  exit(2);
}
