#!/usr/bin/env node
// Do the providers here serve what the published npm packages ask for? Compares, for @pulumi/hcloud and
// @pulumi/command, every resource and function token with its input and output names, and the fields of every nested
// type, between the package and the provider's schema. Prints each difference; unexpected ones fail.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureEngine } from "./ensure.mjs";
import { knownDifferences } from "./lib/knownDifferences.mjs";
import { packages } from "./lib/stack.mjs";

const unique = (values) => [...new Set(values)].sort();
const matches = (text, pattern) => [...text.matchAll(pattern)];

/** What the package's compiled code and type declarations ask of its provider. */
function readPackage(dir) {
  const resources = new Map();
  const functions = new Map();
  const folders = [dir, join(dir, "local"), join(dir, "remote")].filter((folder) => existsSync(folder));
  for (const folder of folders) {
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".js") && name !== "provider.js")) {
      const text = readFileSync(join(folder, file), "utf8");
      const token = text.match(/__pulumiType = '([^']+:[^']+)'/)?.[1];
      if (token) resources.set(token, readResource(text));
      const invoked = text.match(/runtime\.invoke\("([^"]+)", \{([^}]*)\}/);
      if (invoked) functions.set(invoked[1], readFunction(invoked[2], join(folder, file.replace(/\.js$/, ".d.ts"))));
    }
  }
  const types = new Map();
  for (const side of ["input", "output"]) {
    const file = join(dir, "types", `${side}.d.ts`);
    for (const [name, fields] of readInterfaces(readFileSync(file, "utf8"))) {
      types.set(name, unique([...(types.get(name) ?? []), ...fields]));
    }
  }
  return { resources, functions, types };
}

function readResource(text) {
  const all = matches(text, /resourceInputs\["(\w+)"\] = (.*)/g);
  const outputs = unique(all.map(([, name]) => name));
  const inputs = unique(all.filter(([, , value]) => /\bargs\b/.test(value)).map(([, name]) => name));
  return { inputs, outputs };
}

function readFunction(body, declarations) {
  const inputs = unique(matches(body, /"(\w+)":/g).map(([, name]) => name));
  const result = [...readInterfaces(readFileSync(declarations, "utf8"))].find(([name]) => name.endsWith("Result"));
  return { inputs, outputs: result?.[1] ?? [] };
}

/** Names of the interfaces in a declaration file and their fields. */
function readInterfaces(text) {
  const bare = text.replace(/\/\*[\s\S]*?\*\//g, "");
  const found = new Map();
  for (const [, indent, name, body] of matches(bare, /^( *)(?:export )?interface (\w+) \{\n([\s\S]*?)^\1\}/gm)) {
    const field = new RegExp(`^${indent}    (?:readonly )?(\\w+)\\??:`, "gm");
    found.set(name, unique(matches(body, field).map(([, fieldName]) => fieldName)));
  }
  return found;
}

/** Lines that say where the provider's schema differs from the package. */
function compare(wanted, schema) {
  const lines = [];
  const keys = (properties) => unique(Object.keys(properties ?? {}));
  const differences = (what, ours, theirs) => {
    for (const key of theirs.filter((entry) => !ours.includes(entry)))
      lines.push(`${what}: the package has ${key}, the provider not`);
    for (const key of ours.filter((entry) => !theirs.includes(entry)))
      lines.push(`${what}: the provider has ${key}, the package not`);
  };
  for (const [kind, members] of [
    ["resource", wanted.resources],
    ["function", wanted.functions],
  ]) {
    const served = schema[`${kind}s`] ?? {};
    for (const [token, { inputs, outputs }] of members) {
      const spec = served[token];
      if (!spec) {
        lines.push(`${kind} ${token} is missing in the provider`);
        continue;
      }
      differences(
        `inputs of ${token}`,
        keys(kind === "resource" ? spec.inputProperties : spec.inputs?.properties),
        inputs,
      );
      differences(
        `outputs of ${token}`,
        keys(kind === "resource" ? spec.properties : spec.outputs?.properties),
        outputs,
      );
    }
    for (const token of Object.keys(served)) {
      if (!members.has(token)) lines.push(`${kind} ${token} is missing in the package`);
    }
  }
  for (const [token, type] of Object.entries(schema.types ?? {})) {
    if (!type.properties) continue;
    const typeName = token.split(":").at(-1);
    const fields = wanted.types.get(typeName) ?? wanted.types.get(`${typeName}Args`);
    const capital = wanted.types.get(typeName[0].toUpperCase() + typeName.slice(1));
    if (fields ?? capital) differences(`type ${typeName}`, keys(type.properties), fields ?? capital);
    else lines.push(`type ${typeName} is missing in the package`);
  }
  return lines;
}

const engine = await ensureEngine({ log: (line) => process.stderr.write(`${line}\n`) });
const home = mkdtempSync(join(tmpdir(), "engine-schema-"));
let unexpected = 0;
try {
  for (const name of ["hcloud", "command"]) {
    const provider = join(engine.path, `pulumi-resource-${name}`);
    const env = { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" };
    const text = execFileSync(join(engine.path, "pulumi"), ["package", "get-schema", provider], {
      env,
      maxBuffer: 64 * 1024 * 1024,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const wanted = readPackage(join(packages, "@pulumi", name));
    const fields = [...wanted.resources.values(), ...wanted.functions.values()].flatMap((e) => [
      ...e.inputs,
      ...e.outputs,
    ]);
    const lines = compare(wanted, JSON.parse(text));
    const known = knownDifferences.get(name) ?? new Map();
    const seen = new Set();
    for (const line of lines) {
      const reason = known.get(line);
      seen.add(line);
      if (!reason) unexpected += 1;
      process.stdout.write(reason ? `known: ${name}: ${line} (${reason})\n` : `DIFFERENCE: ${name}: ${line}\n`);
    }
    process.stdout.write(
      `${name}: ${wanted.resources.size} resources, ${wanted.functions.size} functions, ${wanted.types.size} types, ` +
        `${fields.length} properties compared; ${lines.length} differences\n`,
    );
    // With a provider of ours the list of known differences must be true; an official one may have none of them.
    const ours = engine.pieces.find((piece) => piece.binary === `pulumi-resource-${name}`)?.source;
    for (const line of ours === "built" || ours === "cache" ? known.keys() : []) {
      if (seen.has(line)) continue;
      unexpected += 1;
      process.stdout.write(`NO LONGER: ${name}: ${line}\n`);
    }
    if (wanted.resources.size === 0 || wanted.types.size === 0)
      throw new Error(`nothing was read from @pulumi/${name}`);
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
if (unexpected > 0) {
  process.stderr.write(`${unexpected} unexpected differences\n`);
  process.exitCode = 1;
}
