/** What a server is born with. */
import { gunzipSync } from "node:zlib";
import { parse } from "yaml";

/** User-data as cloud-init reads it: its `#cloud-config`, unpacked where the whole of it is packed. */
export function cloudConfigOf(userData: string): string {
  return userData.startsWith("#") ? userData : gunzipSync(Buffer.from(userData, "base64")).toString();
}

/** The files that cloud-init writes, unpacked, by their paths. */
export function filesOf(userData: string): ReadonlyMap<string, string> {
  const { write_files: files } = parse(cloudConfigOf(userData)) as {
    write_files: { path: string; encoding?: string; content: string }[];
  };
  return new Map(
    files.map(({ path, encoding, content }) => [
      path,
      encoding === undefined ? content : gunzipSync(Buffer.from(content, "base64")).toString(),
    ]),
  );
}
