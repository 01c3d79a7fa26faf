/**
 * Markdown as a tree. Untrusted text becomes inline code or a fenced block and nothing else: there, GitHub neither renders
 * HTML nor notifies people nor makes links, and the serializer chooses fences that the text cannot close.
 */
import type { BlockContent, Html, ListItem, PhrasingContent, RootContent, Table, TableCell } from "mdast";
import { gfmTableToMarkdown } from "mdast-util-gfm-table";
import { toMarkdown } from "mdast-util-to-markdown";

/** Our own words. Never given text of the input. */
export const say = (value: string): PhrasingContent => ({ type: "text", value });
export const strong = (value: string): PhrasingContent => ({ type: "strong", children: [{ type: "text", value }] });

/** Text of the input, on one line. */
export function quote(value: string): PhrasingContent {
  // A code span cannot be empty, and one of blanks alone shows nothing.
  return { type: "inlineCode", value: value.trim() === "" ? "(empty)" : value };
}

export const paragraph = (...children: PhrasingContent[]): RootContent => ({ type: "paragraph", children });
export const heading = (depth: 2 | 3 | 4, value: string): RootContent => ({
  type: "heading",
  depth,
  children: [say(value)],
});
/** Text of the input, on many lines. */
export const block = (value: string, lang?: string): RootContent => ({
  type: "code",
  value,
  ...(lang ? { lang } : {}),
});
/** HTML of our own. Never given text of the input. */
export const html = (value: string): Html => ({ type: "html", value });

export function list(items: PhrasingContent[][]): RootContent {
  const children = items.map(
    (item): ListItem => ({ type: "listItem", spread: false, children: [{ type: "paragraph", children: item }] }),
  );
  return { type: "list", ordered: false, spread: false, children };
}

export function table(head: string[], rows: PhrasingContent[][][]): RootContent {
  const cell = (children: PhrasingContent[]): TableCell => ({ type: "tableCell", children });
  const result: Table = {
    type: "table",
    children: [
      { type: "tableRow", children: head.map((name) => cell([say(name)])) },
      ...rows.map((row) => ({ type: "tableRow" as const, children: row.map(cell) })),
    ],
  };
  return result;
}

/** Folded away under a line of our own words. */
export function details(summary: string, content: RootContent[]): RootContent[] {
  return [html(`<details><summary>${summary}</summary>`), ...content, html("</details>")];
}

export function serialize(children: RootContent[]): string {
  return toMarkdown(
    { type: "root", children: children as BlockContent[] },
    { bullet: "-", fence: "`", fences: true, extensions: [gfmTableToMarkdown({ tablePipeAlign: false })] },
  );
}
