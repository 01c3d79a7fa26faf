/** Built images in the cache. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

/** An image for a server of the region whose state is in that directory: it stays as long as the state does. */
export function borrowImage(images: string, name: string, state: string): BootableImage {
  const image = findImage(images, name);
  const users = usersOf(image.directory);
  mkdirSync(users, { recursive: true });
  writeFileSync(join(users, createHash("sha256").update(state).digest("hex").slice(0, 16)), state);
  return image;
}

const usersOf = (directory: string) => join(directory, "users");

function isBorrowed(directory: string): boolean {
  const users = usersOf(directory);
  if (!existsSync(users)) return false;
  return readdirSync(users).some((user) => existsSync(readFileSync(join(users, user), "utf8")));
}

/** Removes the images of that name that another recipe made and that no region uses, and gives their directories' names. */
export function pruneImages(images: string, name: string): string[] {
  const current = imageDirectory(images, name);
  const old = readdirSync(images).filter(
    (entry) =>
      entry.startsWith(`${name}-`) &&
      /^[0-9a-f]{16}$/.test(entry.slice(name.length + 1)) &&
      join(images, entry) !== current &&
      !isBorrowed(join(images, entry)),
  );
  for (const entry of old) rmSync(join(images, entry), { recursive: true, force: true });
  return old;
}
