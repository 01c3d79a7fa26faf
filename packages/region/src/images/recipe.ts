/** What an image is made of, and the digest that names it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { assetsDirectory } from "../layout.js";
import type { Variant } from "./variants.js";

/** Raised when the way of building changes in a manner that neither variant nor assets show. */
const BUILDER_VERSION = 3;

export const debianAssets = join(assetsDirectory, "debian");

function filesUnder(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((file) => statSync(join(directory, file)).isFile())
    .sort();
}

/** Digest over everything that decides what is in the image but the packages' versions. */
export function recipeDigest(variant: Variant): string {
  const hash = createHash("sha256").update(JSON.stringify([BUILDER_VERSION, variant]));
  for (const file of filesUnder(debianAssets))
    hash.update(`\0${file}\0`).update(readFileSync(join(debianAssets, file)));
  return hash.digest("hex").slice(0, 16);
}
