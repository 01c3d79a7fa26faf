#!/usr/bin/env node
// Puts the project's docs into the package before it is packed; they are not kept there.
import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const target = fileURLToPath(new URL("../docs", import.meta.url));
rmSync(target, { recursive: true, force: true });
cpSync(fileURLToPath(new URL("../../../docs", import.meta.url)), target, { recursive: true });
