/**
 * Checks answers of the API against the OpenAPI description of the Hetzner Cloud API, which is not part of this
 * repository: set HCLOUD_OPENAPI to a copy, or put one at `../shared/reference/hcloud-openapi.json` beside it.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv, type ValidateFunction } from "ajv";
import addFormatsModule from "ajv-formats";
import type { Exchange } from "../app.js";

// The package's type says that the plugin is the module's default of its default.
const addFormats = addFormatsModule as unknown as (ajv: Ajv) => Ajv;

type Json = Record<string, unknown>;

/** The description's path: HCLOUD_OPENAPI if set, else the usual place if a file is there, else undefined. */
export function findDescription(): string | undefined {
  const given = process.env.HCLOUD_OPENAPI;
  if (given) return given;
  // From src/api/testing or dist/api/testing up to the repository's root.
  const usual = fileURLToPath(new URL("../../../../../../shared/reference/hcloud-openapi.json", import.meta.url));
  return existsSync(usual) ? usual : undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** OpenAPI 3.0 writes nullability as a keyword of its own; JSON Schema as one more type. */
function toJsonSchema(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toJsonSchema);
  if (!isObject(value)) return value;
  const { nullable, example: _, discriminator: __, ...rest } = value;
  const schema = Object.fromEntries(Object.entries(rest).map(([key, item]) => [key, toJsonSchema(item)]));
  return nullable === true ? { anyOf: [{ type: "null" }, schema] } : schema;
}

export interface ExchangeChecker {
  /** What is wrong with the answer, one line each; empty when it is as described. */
  check(exchange: Exchange): string[];
  /** All operations of the description, as `GET /servers/{id}`. */
  readonly described: readonly string[];
  /** Operations that were checked with a success status, as `GET /servers`. */
  readonly seen: ReadonlySet<string>;
}

/** Reads the description at `path`. Throws when it is no OpenAPI 3 document. */
export function createChecker(path: string): ExchangeChecker {
  const document: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (!isObject(document) || !isObject(document.paths) || !isObject(document.components)) {
    throw new Error(`${path} is not an OpenAPI description`);
  }
  const paths = document.paths;
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addFormat("decimal", /^-?\d+(\.\d+)?$/);
  ajv.addSchema({ $id: "description", components: toJsonSchema(document.components) as Json });
  const validators = new Map<string, ValidateFunction>();
  const seen = new Set<string>();

  function responseOf({ method, route, status }: Exchange): Json | undefined {
    const operations = route === undefined ? undefined : paths[route];
    const operation = isObject(operations) ? operations[method.toLowerCase()] : undefined;
    if (!isObject(operation) || !isObject(operation.responses)) return undefined;
    const { responses } = operation;
    const found = responses[String(status)] ?? responses[`${Math.floor(status / 100)}xx`];
    return isObject(found) ? found : undefined;
  }

  function validatorOf(name: string, schema: unknown): ValidateFunction {
    const known = validators.get(name);
    if (known) return known;
    const absolute = JSON.parse(JSON.stringify(toJsonSchema(schema)).replaceAll('"#/', '"description#/')) as Json;
    const compiled = ajv.compile(absolute);
    validators.set(name, compiled);
    return compiled;
  }

  const described = Object.entries(paths).flatMap(([route, operations]) =>
    Object.keys(isObject(operations) ? operations : {}).map((method) => `${method.toUpperCase()} ${route}`),
  );

  return {
    described,
    seen,
    check(exchange) {
      const operation = `${exchange.method} ${exchange.route ?? exchange.path}`;
      const name = `${operation} ${exchange.status}`;
      const response = responseOf(exchange);
      if (!response) return [`${name}: not described`];
      if (exchange.status < 300) seen.add(operation);
      const media = isObject(response.content) ? response.content["application/json"] : undefined;
      if (!isObject(media)) return exchange.responseBody === undefined ? [] : [`${name}: a body that is not described`];
      const validate = validatorOf(name, media.schema);
      if (validate(exchange.responseBody)) return [];
      return (validate.errors ?? []).map((error) => `${name}: ${error.instancePath || "body"} ${error.message}`);
    },
  };
}
