import type { Region } from "./region.js";

/** One request to the region's API from where it can be reached; the token comes from the environment. Gives nothing where the answer is empty. */
export async function api(region: Region, method: string, path: string, body?: unknown): Promise<unknown> {
  const script = `
    const [method, path, body] = process.argv.slice(1);
    const headers = { authorization: "Bearer " + process.env.HCLOUD_TOKEN, "content-type": "application/json" };
    fetch(process.env.HCLOUD_ENDPOINT + path, { method, headers, ...(body ? { body } : {}) }).then(async (answer) => {
      process.stdout.write(await answer.text());
      process.exitCode = answer.ok ? 0 : 1;
    });`;
  const run = await region.exec(process.execPath, ["-e", script, method, path, body ? JSON.stringify(body) : ""], {});
  const text = String(run.stdout);
  return text === "" ? undefined : JSON.parse(text);
}

/** Reads from the region's API. */
export async function apiGet(region: Region, path: string): Promise<unknown> {
  return await api(region, "GET", path);
}
