/** Built images in the cache. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { recipeDigest } from "./recipe.js";
import { variantNames, variantOf } from "./variants.js";

export interface BootableImage {
  readonly directory: string;
  /** Raw file system, never written to. */
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
}

export function imageIn(directory: string): BootableImage {
  return {
    directory,
    disk: join(directory, "disk.raw"),
    kernel: join(directory, "kernel"),
    initrd: join(directory, "initrd"),
  };
}

export function imageDirectory(images: string, name: string): string {
  return join(images, `${name}-${recipeDigest(variantOf(name))}`);
}

/** An image's directory appears with all its files or not at all. */
export function isBuilt(images: string, name: string): boolean {
  return existsSync(imageDirectory(images, name));
}

export function builtImages(images: string): string[] {
  return variantNames.filter((name) => isBuilt(images, name));
}

export function findImage(images: string, name: string): BootableImage {
  if (!isBuilt(images, name))
    throw new Error(`the image ${name} is not built here: run \`region images build ${name}\``);
  return imageIn(imageDirectory(images, name));
}
