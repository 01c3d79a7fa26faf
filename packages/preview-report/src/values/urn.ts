/** The parts of `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`. */
export interface Urn {
  stack: string;
  project: string;
  /** The resource's own type, without its parents'. */
  type: string;
  name: string;
}

/** Never throws: text that is no URN becomes the name of a resource of unknown type. */
export function parseUrn(urn: string): Urn {
  const [head = "", project, types, ...names] = urn.split("::");
  if (!head.startsWith("urn:pulumi:") || project === undefined || types === undefined || names.length === 0) {
    return { stack: "", project: "", type: "unknown", name: urn };
  }
  const type = types.slice(types.lastIndexOf("$") + 1);
  return { stack: head.slice("urn:pulumi:".length), project, type, name: names.join("::") };
}
