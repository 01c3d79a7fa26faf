import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { BootShare } from "./bootShare.js";

const home = mkdtempSync(join(tmpdir(), "share-"));
const console = join(home, "console.log");
const child = spawn("sleep", ["60"], { stdio: "ignore", detached: true });
const pid = child.pid ?? 0;
beforeAll(() => writeFileSync(console, "[  9.1] Cloud-init v. 25.1.4 finished at an earlier boot\n"));
afterAll(() => {
  child.kill();
  rmSync(home, { recursive: true });
});

const niceness = () => readdirSync(`/proc/${pid}/task`).map((thread) => getPriority(Number(thread)));

describe.skipIf(process.getuid?.() !== 0)("the share of a machine that boots", () => {
  it("is less until its console says that it has booted; that it had before does not count", async () => {
    const share = new BootShare(pid, console);
    expect(niceness()).toEqual([0]);
    share.begin();
    expect(niceness()).toEqual([6]);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(niceness()).toEqual([6]);
    appendFileSync(console, "[ 12.5] Cloud-init v. 25.1.4 finished at now\n");
    await vi.waitFor(() => expect(niceness()).toEqual([0]), 6000);
  });

  it.skipIf(!existsSync("/proc/self/autogroup"))("is its group's too, where the kernel groups processes", () => {
    const share = new BootShare(pid, console);
    const group = () => /nice (-?\d+)/.exec(readFileSync(`/proc/${pid}/autogroup`, "utf8"))?.[1];
    share.begin();
    const booting = group();
    share.end();
    expect([booting, group()]).toEqual(["6", "0"]);
  });
});
