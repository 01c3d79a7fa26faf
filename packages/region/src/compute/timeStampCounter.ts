/** How fast this computer's time stamp counter runs, which is how fast an emulated machine's does. */

/**
 * From the text of /proc/cpuinfo: where the counter is steady, Linux makes its bogomips of it, twice its MHz. Undefined where that is not
 * told, as on processors that have none.
 */
export function counterKhz(cpuinfo: string): number | undefined {
  const [first = ""] = cpuinfo.split("\n\n");
  if (!/^flags\s*:.* constant_tsc( |$)/m.test(first)) return undefined;
  const bogomips = Number(/^bogomips\s*:\s*(\d+(?:\.\d+)?)$/m.exec(first)?.[1]);
  return bogomips > 0 ? Math.round((bogomips / 2) * 1000) : undefined;
}
