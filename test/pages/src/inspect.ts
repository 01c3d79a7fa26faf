/** What a page holds, measured in the browser. Each function runs there and so uses nothing from outside itself. */

export interface PageTable {
  head: string[];
  /** Cells of each row of the body. */
  rows: number[];
  /** Whether it stays within the comment; a wide one may scroll by itself. */
  inside: boolean;
}

export interface PageContent {
  tables: PageTable[];
  /** Names of elements, each once. */
  tags: string[];
  /** Names of attributes, each once. */
  attributes: string[];
  comments: number;
  folds: number;
  openFolds: number;
  /** All text that stands in no code: our own words, if nothing broke out. */
  words: string;
  /** Texts of the code spans and blocks. */
  code: string[];
  /** Whether the page as a whole must be scrolled sideways. */
  overflows: boolean;
}

export function inspect(): PageContent {
  const article = document.querySelector("article") as HTMLElement;
  const elements = [...article.querySelectorAll("*")];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_COMMENT | NodeFilter.SHOW_TEXT);
  let comments = 0;
  const words: string[] = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.nodeType === Node.COMMENT_NODE) comments++;
    else if (!node.parentElement?.closest("code, pre")) words.push(node.textContent ?? "");
  }
  const cells = (row: Element) => [...row.children].filter((it) => it.tagName === "TD" || it.tagName === "TH");
  const width = article.getBoundingClientRect();
  return {
    tables: [...article.querySelectorAll("table")].map((table) => ({
      head: [...table.querySelectorAll("thead th")].map((it) => it.textContent ?? ""),
      rows: [...table.querySelectorAll("tbody tr")].map((row) => cells(row).length),
      inside: table.getBoundingClientRect().right <= width.right + 1,
    })),
    tags: [...new Set(elements.map((it) => it.tagName.toLowerCase()))].sort(),
    attributes: [...new Set(elements.flatMap((it) => it.getAttributeNames()))].sort(),
    comments,
    folds: article.querySelectorAll("details").length,
    openFolds: article.querySelectorAll("details[open]").length,
    words: words.join(" "),
    code: [...article.querySelectorAll("code")].map((it) => it.textContent ?? ""),
    overflows: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  };
}

interface Mermaid {
  initialize(options: object): void;
  render(id: string, text: string): Promise<{ svg: string }>;
}

export interface Picture {
  nodes: string[];
  edges: number;
  /** Elements of the drawing that could do something. */
  active: string[];
}

/** Draws the page's Mermaid block in its place, as GitHub does, with all folds open. Throws where Mermaid cannot read it. */
export async function draw(): Promise<Picture> {
  const { mermaid } = window as unknown as { mermaid: Mermaid };
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  const code = document.querySelector("code.language-mermaid") as HTMLElement;
  mermaid.initialize({ startOnLoad: false, securityLevel: "strict" });
  const { svg } = await mermaid.render("picture", code.textContent ?? "");
  const place = document.createElement("div");
  place.innerHTML = svg;
  code.parentElement?.replaceWith(place);
  return {
    nodes: [...place.querySelectorAll("g.node")].map((it) => (it.textContent ?? "").trim()),
    edges: place.querySelectorAll("path.flowchart-link").length,
    active: [...place.querySelectorAll("script, a, img, image, iframe, object, foreignObject [onclick]")].map(
      (it) => it.tagName,
    ),
  };
}
