/** What a server is born with. */
import { gunzipSync } from "node:zlib";
import { parse } from "yaml";

/** The files that cloud-init writes, unpacked, by their paths. */
export function filesOf(userData: string): ReadonlyMap<string, string> {
  const { write_files: files } = parse(userData) as {
    write_files: { path: string; encoding?: string; content: string }[];
  };
  return new Map(
    files.map(({ path, encoding, content }) => [
      path,
      encoding === undefined ? content : gunzipSync(Buffer.from(content, "base64")).toString(),
    ]),
  );
}
