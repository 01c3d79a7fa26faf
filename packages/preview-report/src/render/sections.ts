/** The report's sections as Markdown trees, each able to show only its first so many rows. */
import type { PhrasingContent, RootContent } from "mdast";
import type { GateOutcome } from "../gates/gates.js";
import type { ExposureEntry, Report } from "../report/report.js";
import { mermaid } from "./mermaid.js";
import { nameList } from "./names.js";
import { block, details, heading, list, paragraph, quote, say, strong, table } from "./nodes.js";
import { countsText, DANGER_WORDS, exposureVerb, highlights, plural, verdict } from "./words.js";

export interface Section {
  /** For the note on what was cut. */
  name: string;
  /** Lower numbers get room first. */
  rank: number;
  rows: number;
  build(rows: number): RootContent[];
}

/** Names shown in one cell; danger shows more, as nothing there may hide. */
const NAMES = 40;
const DANGER_NAMES = 150;

export function sections(report: Report, gates: GateOutcome | undefined): Section[] {
  return [
    head(report),
    problems(report),
    gatesSection(report, gates),
    errors(report),
    danger(report),
    exposure(report),
    picture(report),
    trust(report),
    commands(report),
    userData(report),
    policy(report),
    unknowns(report),
    ...rest(report),
  ].filter((section) => section !== undefined);
}

function head(report: Report): Section {
  return {
    name: "verdict",
    rank: 0,
    rows: 0,
    build: () => {
      const title: PhrasingContent[] = [strong(`${verdict(report)}.`), say(` ${countsText(report)}.`)];
      const points = highlights(report);
      return [
        paragraph(
          say("Preview of "),
          quote(report.stack || "a stack"),
          ...(report.project ? [say(" in "), quote(report.project)] : []),
        ),
        paragraph(...title),
        ...(points.length > 0 ? [paragraph(say(`${points.join(" · ")}.`))] : []),
      ];
    },
  };
}

const KEYS = 12;
function keyList(keys: readonly string[]): PhrasingContent[] {
  if (keys.length === 0) return [say("")];
  const more = keys.length > KEYS ? [say(` and ${keys.length - KEYS} more`)] : [];
  return [quote(keys.slice(0, KEYS).join(", ")), ...more];
}

/** A section of rows that is left out when it has none. */
function rowed<T>(
  name: string,
  rank: number,
  items: readonly T[],
  build: (items: readonly T[], total: number) => RootContent[],
): Section | undefined {
  if (items.length === 0) return undefined;
  return {
    name,
    rank,
    rows: items.length,
    build: (rows) => {
      const shown = items.slice(0, rows);
      const left = items.length - shown.length;
      const note =
        left > 0 ? [paragraph(say(`${plural(left, "more row", "more rows")} cut to fit the size of a comment.`))] : [];
      return [...build(shown, items.length), ...note];
    },
  };
}

function problems(report: Report): Section | undefined {
  return rowed("problems", 0, report.problems, (items) => [
    paragraph(strong("Do not rely on what is missing here:")),
    list(items.map((item) => [say(item)])),
  ]);
}

function gatesSection(report: Report, gates: GateOutcome | undefined): Section | undefined {
  if (!gates || (gates.results.length === 0 && gates.rejected.length === 0)) return undefined;
  const fired = gates.results.filter((it) => it.open.length > 0);
  const lines: PhrasingContent[][] = fired.map((it) => [
    strong(`Gate ${it.gate} stops this change`),
    say(": "),
    quote(
      nameList(
        it.open.map((finding) => finding.subject),
        10,
      ),
    ),
  ]);
  for (const it of gates.results) {
    const reasons = new Map(it.waived.map((waived) => [`${waived.reason}\u0000${waived.expires}`, waived]));
    for (const { reason, expires } of reasons.values()) {
      lines.push([say(`Gate ${it.gate} is waived until `), quote(expires), say(": "), quote(reason)]);
    }
  }
  for (const { waiver, why } of gates.rejected) {
    lines.push([say("A waiver for "), quote(waiver.gate), say(" does not count: "), quote(why)]);
  }
  if (lines.length === 0) lines.push([say(noneStops(report, gates))]);
  return rowed("gates", 1, lines, (items) => [list([...items])]);
}

/** A gate that is silent on half a preview says nothing. */
function noneStops(report: Report, gates: GateOutcome): string {
  const checked = `${plural(gates.results.length, "gate", "gates")} checked`;
  if (report.status === "failed" || report.status === "incomplete")
    return `${checked} what there is of the preview, which is not the whole (exit code ${gates.exitCode}).`;
  return `${checked}, none stops this change.`;
}

function errors(report: Report): Section | undefined {
  return rowed("errors", 1, report.errors, (items) => [
    heading(3, "Errors"),
    ...items.flatMap(({ resource, message }) => [
      ...(resource ? [paragraph(quote(resource))] : []),
      block(message || "(no message)", "text"),
    ]),
  ]);
}

function danger(report: Report): Section | undefined {
  const rows = [
    ...report.danger.map((it): PhrasingContent[][] => [
      [strong(DANGER_WORDS[it.kind] ?? it.kind)],
      [quote(it.what)],
      [quote(nameList(it.subjects, DANGER_NAMES)), say(it.subjects.length > 1 ? ` (${it.subjects.length})` : "")],
    ]),
    ...report.quorum.map((it): PhrasingContent[][] => [[say("Managers")], [quote(it.text)], [quote(it.cluster)]]),
  ];
  return rowed("danger", 2, rows, (items) => [heading(3, "Danger"), table(["What", "Why", "Where"], [...items])]);
}

const EXPOSURE_HEAD = ["Change", "Protocol", "Port", "Family", "Before", "After", "Nodes"];

/** Longer lists of nodes are shown once, in the first of the rows that share it. */
const LONG_LIST = 80;

function exposureRow(entry: ExposureEntry, index: number, entries: readonly ExposureEntry[]): PhrasingContent[][] {
  const verb = exposureVerb(entry);
  const world = (text: string, isWorld: boolean): PhrasingContent[] =>
    isWorld ? [quote(text), say(" "), strong("world")] : [quote(text)];
  const names = nameList(entry.nodes, NAMES);
  const above = entries[index - 1]?.nodes.join("\u0000") === entry.nodes.join("\u0000");
  const nodes = above && names.length > LONG_LIST ? say("the same as above") : quote(names);
  return [
    [entry.worldAfter && entry.kind !== "same" ? strong(verb) : say(verb)],
    [quote(entry.protocol), ...(entry.ssh && entry.port !== "all" ? [say(" SSH")] : [])],
    [entry.port === "all" ? say("all") : entry.port === "-" ? say("none") : quote(entry.port)],
    [say(entry.families.join(", "))],
    world(entry.before, entry.worldBefore),
    world(entry.after, entry.worldAfter),
    entry.nodes.length > 1 ? [nodes, say(` (${entry.nodes.length})`)] : [nodes],
  ];
}

function exposure(report: Report): Section | undefined {
  const { changes, doubts } = report.exposure;
  const rows = [
    ...changes.map((entry, index) => ({ row: exposureRow(entry, index, changes) })),
    ...doubts.map((it) => ({
      doubt: [say("Unknown: "), quote(it.doubt), say(" — "), quote(nameList(it.nodes, NAMES))],
    })),
  ];
  return rowed("exposure", 3, rows, (items) => {
    const shown = items.flatMap((it) => ("row" in it ? [it.row] : []));
    const unknown = items.flatMap((it) => ("doubt" in it ? [it.doubt] : []));
    return [
      heading(3, "Exposure"),
      ...(shown.length > 0 ? [table(EXPOSURE_HEAD, shown)] : []),
      ...(unknown.length > 0 ? [list(unknown)] : []),
    ];
  });
}

function picture(report: Report): Section | undefined {
  const text = mermaid(report);
  if (text === undefined) return undefined;
  return {
    name: "picture",
    rank: 8,
    rows: 0,
    build: () => details("Picture: what reaches the nodes after the update", [block(text, "mermaid")]),
  };
}

function trust(report: Report): Section | undefined {
  return rowed("trust", 4, report.trust, (items) => [
    heading(3, "Trust"),
    table(
      ["What", "", "Before", "After", "Where"],
      items.map((it) => [
        [say(it.kind)],
        [quote(it.what)],
        [quote(it.before)],
        [quote(it.after)],
        [quote(nameList(it.subjects, NAMES))],
      ]),
    ),
  ]);
}

function commands(report: Report): Section | undefined {
  const groups = new Map<string, Report["commands"]>();
  for (const command of report.commands) {
    const key = `${command.host} ${command.what}`;
    const known = groups.get(key);
    if (known) known.push(command);
    else groups.set(key, [command]);
  }
  const order = ["live", "local", "new"];
  const rows = [...groups.values()].sort((a, b) => order.indexOf(a[0]?.host ?? "") - order.indexOf(b[0]?.host ?? ""));
  const where = { live: "live hosts", local: "the machine that runs Pulumi", new: "new hosts" };
  return rowed("commands", 5, rows, (items) => [
    heading(3, "Commands that will run"),
    table(
      ["On", "What", "Commands"],
      items.map((group) => {
        const host = group[0]?.host ?? "live";
        const names = group.map((it) => it.name);
        return [
          [host === "live" ? strong(where[host]) : say(where[host])],
          [say(group[0]?.what ?? "")],
          [quote(nameList(names, NAMES)), say(` (${names.length})`)],
        ];
      }),
    ),
  ]);
}

function userData(report: Report): Section | undefined {
  return rowed("user-data", 6, report.userData, (items) => [
    heading(3, "User-data"),
    table(
      ["Servers", "Before", "After", "Sections that change"],
      items.map((it) => [
        [quote(nameList(it.subjects, NAMES))],
        [say(it.linesBefore)],
        [say(it.linesAfter)],
        [quote(it.sections.join(", ") || "none")],
      ]),
    ),
  ]);
}

function policy(report: Report): Section | undefined {
  const { known, packs, violations } = report.policy;
  if (!known || (packs.length === 0 && violations.length === 0)) return undefined;
  const sorted = [...violations].sort((a, b) => Number(b.level === "mandatory") - Number(a.level === "mandatory"));
  const names = packs.map((it) => (it.version ? `${it.pack} ${it.version}` : it.pack));
  const rows = sorted.map((it): PhrasingContent[][] => [
    [it.level === "mandatory" ? strong("mandatory") : quote(it.level || "advisory")],
    [quote(`${it.pack}: ${it.policy}`)],
    [quote(it.resource || "the stack")],
    [quote(it.message.replace(/\s+/g, " ").slice(0, 300))],
  ]);
  return {
    name: "policy packs",
    rank: 4,
    rows: rows.length,
    build: (limit) => [
      heading(3, "Policy packs"),
      paragraph(
        quote(names.slice(0, 20).join(", ") || "unnamed pack"),
        say(`: ${plural(violations.length, "violation", "violations")}.`),
      ),
      ...(rows.length > 0 ? [table(["Level", "Policy", "Resource", "Message"], rows.slice(0, limit))] : []),
      ...(limit < rows.length ? [paragraph(say(`${plural(rows.length - limit, "more row", "more rows")} cut.`))] : []),
    ],
  };
}

function unknowns(report: Report): Section | undefined {
  return rowed("unknowns", 5, report.unknowns, (items) => [
    heading(3, "Not known"),
    list(items.map((item) => [say(item)])),
  ]);
}

function rest(report: Report): (Section | undefined)[] {
  const folded = <T>(
    name: string,
    rank: number,
    items: readonly T[],
    one: string,
    many: string,
    build: (items: readonly T[]) => RootContent,
  ): Section | undefined => {
    const section = rowed(name, rank, items, (shown) => [build(shown)]);
    if (!section) return undefined;
    return { ...section, build: (rows) => details(plural(items.length, one, many), section.build(rows)) };
  };
  return [
    folded("changed resources", 9, report.changes, "changed resource", "changed resources", (items) =>
      table(
        ["Change", "Type", "Name", "Properties"],
        items.map((it) => [[say(it.action)], [quote(it.type)], [quote(it.name)], keyList(it.keys)]),
      ),
    ),
    folded("unchanged exposure", 10, report.exposure.unchanged, "opening that stays", "openings that stay", (items) =>
      table(EXPOSURE_HEAD, items.map(exposureRow)),
    ),
    folded("drift", 7, report.drift, "resource changed outside Pulumi", "resources changed outside Pulumi", (items) =>
      table(
        ["What", "Type", "Name"],
        items.map((it) => [[say(it.what)], [quote(it.type)], [quote(it.name)]]),
      ),
    ),
    folded("warnings", 11, report.warnings, "warning", "warnings", (items) =>
      list(
        items.map((it) => [
          quote(it.resource || "the stack"),
          say(" "),
          quote(it.message.replace(/\s+/g, " ").slice(0, 400)),
        ]),
      ),
    ),
  ];
}
