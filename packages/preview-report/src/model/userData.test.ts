import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { changedSections, userDataOf } from "./userData.js";

const text =
  "#cloud-config\nssh_pwauth: false\nwrite_files:\n  - path: /etc/motd\n    content: hello\nruncmd: [true]\n";
const packed = (content: string) => gzipSync(content, { level: 9 }).toString("base64");

describe("user-data that is packed as a whole", () => {
  it("has the sections and lines of what is in it", () => {
    const [plain, whole] = [userDataOf(text), userDataOf(packed(text))];
    expect(whole.sections).toEqual(plain.sections);
    expect([...whole.sections.keys()]).toEqual(["ssh_pwauth", "write_files", "runcmd"]);
    expect([whole.state, whole.lines]).toEqual(["text", 6]);
    expect(whole.digest).not.toBe(plain.digest);
  });

  it("differs from what is not packed where its text does", () => {
    const other = packed(text.replace("hello", "good day"));
    expect(changedSections(userDataOf(text), userDataOf(other))).toEqual(["write_files"]);
  });

  it.each([
    ["is cut off", packed(text).slice(0, 40)],
    ["only looks so", "H4sIanything"],
    ["grows beyond all bounds", packed(`#cloud-config\n${"a".repeat(8 * 1024 * 1024)}`)],
  ])("is any text where it %s", (_, value) => {
    expect([...userDataOf(value).sections.keys()]).toEqual(["other"]);
  });
});
