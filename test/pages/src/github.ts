/** Markdown as GitHub shows it: its flavour, the HTML that it lets through, and its looks. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import rehypeRaw from "rehype-raw";
import rehypeSanitize, { defaultSchema } from "rehype-sanitize";
import rehypeStringify from "rehype-stringify";
import remarkGfm from "remark-gfm";
import remarkParse from "remark-parse";
import remarkRehype from "remark-rehype";
import { unified } from "unified";

const style = readFileSync(
  createRequire(import.meta.url).resolve("github-markdown-css/github-markdown-light.css"),
  "utf8",
);

/** How much of the Markdown's own HTML stays: what GitHub's rules let through, or all of it, which is the worst case for us. */
export type Html = "sanitised" | "raw";

/** A whole page with the comment in it, as wide as one in a pull request. */
export function page(markdown: string, html: Html): string {
  const tree = unified().use(remarkParse).use(remarkGfm).use(remarkRehype, { allowDangerousHtml: true });
  const body =
    html === "raw"
      ? tree.use(rehypeStringify, { allowDangerousHtml: true }).processSync(markdown)
      : // The schema is written after GitHub's own.
        tree.use(rehypeRaw).use(rehypeSanitize, defaultSchema).use(rehypeStringify).processSync(markdown);
  return `<!doctype html><meta charset="utf-8"><title>report</title><style>${style}
    body { margin: 24px; } .markdown-body { width: 780px; }</style>
    <article class="markdown-body">${String(body)}</article>`;
}
