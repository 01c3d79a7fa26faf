/** docs/arguments.md: the schema for other languages, as tables, with what the interfaces' own comments say beside it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";

interface Spec {
  readonly type?: string | undefined;
  readonly $ref?: string | undefined;
  readonly items?: Spec | undefined;
  readonly additionalProperties?: Spec | undefined;
  readonly plain?: boolean | undefined;
}
const spec: z.ZodType<Spec> = z.lazy(() =>
  z.object({
    type: z.string().optional(),
    $ref: z.string().optional(),
    items: spec.optional(),
    additionalProperties: spec.optional(),
    plain: z.boolean().optional(),
  }),
);
const fields = z.record(z.string(), z.intersection(spec, z.object({ description: z.string().default("") })));
const schemaOf = z.object({
  resources: z.record(
    z.string(),
    z.object({ inputProperties: fields, requiredInputs: z.array(z.string()), properties: fields }),
  ),
  types: z.record(
    z.string(),
    z.object({
      properties: fields.optional(),
      required: z.array(z.string()).default([]),
      enum: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
    }),
  ),
});
type Fields = z.output<typeof fields>;
type Types = z.output<typeof schemaOf>["types"];

const head = `# Arguments

Generated from [schema.json](../packages/swarm/schema.json) and the comments in [src/args](../packages/swarm/src/args); \`vitest run packages/swarm/src/schema.test.ts -u\`
writes it anew. Names are TypeScript's and YAML's; Python has them in snake case.

A wrong argument is one error that names its path, what was given and what is allowed, before anything is made. *(input)* may be known
later, as the output of another resource; everything else is a plain value.
`;

/** The page. */
export function argumentReference(schema: unknown, sources: string): string {
  const { resources, types } = schemaOf.parse(schema);
  const comments = commentsIn(sources);
  const components = Object.entries(resources).sort(([a], [b]) => order(a) - order(b));
  const outputs = new Set<string>();
  for (const [, { properties }] of components) reach(properties, types, outputs);
  const inputs = Object.keys(types).filter((name) => !outputs.has(name));
  const typeText = (name: string) => typeSection(name, types, comments);
  return [
    head,
    ...components.map(([token, { inputProperties, requiredInputs, properties }]) =>
      [
        `## ${nameOf(token)}\n`,
        comments.get(`${nameOf(token)}Args`) ?? "",
        `\n${argumentTable(inputProperties, requiredInputs)}\n`,
        `It gives:\n\n${table(["output", "type", ""], outputRows(properties))}\n`,
      ].join("\n"),
    ),
    "## Types of arguments\n",
    ...inputs.sort().map(typeText),
    "## Types of outputs\n",
    ...[...outputs].sort().map(typeText),
  ].join("\n");
}

/** The text of what the interfaces are written in. */
export function argumentSources(): string {
  const folder = join(__dirname, "..", "args");
  const files = readdirSync(folder).filter((name) => /^[a-zA-Z]+\.ts$/.test(name) && !name.includes("Schema"));
  return [...files.map((name) => join(folder, name)), join(folder, "..", "outputs.ts")]
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
}

/** What stands above an interface or a constant object, by its name, and above each of an object's values, as `NAME.KEY`. */
function commentsIn(sources: string): ReadonlyMap<string, string> {
  const comments = new Map<string, string>();
  for (const [, comment = "", kind, name = "", rest = ""] of sources.matchAll(
    /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport (interface|const) (\w+)([\s\S]*?\n\}| = [^\n]*;\n)/g,
  )) {
    comments.set(name, proseOf(comment));
    if (kind !== "const") continue;
    for (const [, about = "", key = ""] of rest.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n {2}(\w+):/g))
      comments.set(`${name}.${key}`, proseOf(about));
  }
  return comments;
}

function proseOf(comment: string): string {
  return comment.replaceAll(/^ *\* ?/gm, "").trim();
}

function typeSection(token: string, types: Types, comments: ReadonlyMap<string, string>): string {
  const { properties, required = [], enum: values } = types[token] ?? {};
  const name = nameOf(token);
  const about = comments.get(name);
  const body =
    values === undefined
      ? argumentTable(properties ?? {}, required)
      : table(
          ["value", ""],
          values.map((one) => [code(one.value), comments.get(`${name}.${one.name}`) ?? ""]),
        );
  return `### ${name}\n\n${about === undefined ? "" : `${about}\n\n`}${body}\n`;
}

function argumentTable(some: Fields, required: readonly string[]): string {
  const rows = Object.entries(some).map(([name, field]) => [
    `${code(name)}${required.includes(name) ? " **required**" : ""}`,
    `${typeText(field)}${isInput(field) ? " *(input)*" : ""}`,
    field.description,
  ]);
  return rows.length === 0 ? "" : table(["argument", "type", ""], rows);
}

function outputRows(properties: Fields): string[][] {
  return Object.entries(properties).map(([name, field]) => [code(name), typeText(field), field.description]);
}

/** Schema and analyzer say `plain` of whatever is not an `Input`, a list's items included. */
function isInput(field: Spec): boolean {
  if (field.$ref === "pulumi.json#/Any") return false;
  if (field.items !== undefined) return isInput(field.items);
  if (field.additionalProperties !== undefined) return isInput(field.additionalProperties);
  return field.plain !== true;
}

function typeText({ type, $ref, items, additionalProperties }: Spec): string {
  if ($ref === "pulumi.json#/Any") return "any value";
  if ($ref !== undefined) return `[${nameOf($ref)}](#${nameOf($ref).toLowerCase()})`;
  if (items !== undefined) return `list of ${typeText(items)}`;
  if (additionalProperties !== undefined) return `${typeText(additionalProperties)} by name`;
  return type ?? "";
}

/** The types that these fields have, and all within. */
function reach(some: Fields, types: Types, found: Set<string>): void {
  const within = (field: Spec): readonly string[] => [
    ...(field.$ref?.startsWith("#/types/") ? [field.$ref.slice("#/types/".length)] : []),
    ...(field.items ? within(field.items) : []),
    ...(field.additionalProperties ? within(field.additionalProperties) : []),
  ];
  for (const name of Object.values(some).flatMap(within)) {
    if (found.has(name)) continue;
    found.add(name);
    reach(types[name]?.properties ?? {}, types, found);
  }
}

/** A Markdown table; what would end a cell does not. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("\n", " ").replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(titles), line(titles.map(() => "---")), ...rows.map(line)].join("\n");
}

export function code(text: string): string {
  return `\`${text}\``;
}

function nameOf(token: string): string {
  return token.slice(token.lastIndexOf(":") + 1);
}

function order(token: string): number {
  return ["SwarmCluster", "HardenedServer", "HostHardening"].indexOf(nameOf(token));
}
