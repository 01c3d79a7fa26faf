/** Lists as the API serves them: filters, sorting, pages. */
import { z } from "zod";
import { type Labels, selectorOf } from "./labels.js";
import { idTextSchema, parseInput } from "./validation.js";

/** Entries of a page that the caller did not size, and the most that one may ask for (more is cut to it). */
const DEFAULT_PER_PAGE = 25;
const MAX_PER_PAGE = 50;

const many = <S extends z.ZodType>(item: S) =>
  z
    .union([z.array(item), item.transform((value) => [value])])
    .optional()
    .transform((value) => (value ?? []) as z.output<S>[]);

const pageNumber = z
  .string()
  .regex(/^[1-9][0-9]{0,8}$/, { error: "must be a positive integer" })
  .transform(Number);

const querySchema = z.object({
  page: pageNumber.default(1),
  per_page: pageNumber.default(DEFAULT_PER_PAGE).transform((size) => Math.min(size, MAX_PER_PAGE)),
  name: z.string().optional(),
  label_selector: z.string().optional(),
  sort: many(z.string()),
  status: many(z.string()),
  type: many(z.string()),
  id: many(idTextSchema),
  fingerprint: z.string().optional(),
  ip: z.string().optional(),
  architecture: z.string().optional(),
  include_deprecated: z.string().optional(),
});

/** The query string of any list of the API. Parameters a list does not know are ignored, as the API does. */
export type ListQuery = z.output<typeof querySchema>;

export function parseListQuery(query: unknown): ListQuery {
  return parseInput(querySchema, query);
}

/** Keeps what `name` and `label_selector` of the query select. */
export function selectNamed<T extends { readonly name: string; readonly labels?: Labels }>(
  items: readonly T[],
  query: ListQuery,
): T[] {
  const selects = query.label_selector === undefined ? undefined : selectorOf(query.label_selector);
  return items.filter(
    (item) => (query.name === undefined || item.name === query.name) && (!selects || selects(item.labels ?? {})),
  );
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a ?? "").localeCompare(String(b ?? ""), "en");
}

/** Sorts by the first criteria first; ones that the items do not have are ignored. Default order: by id. */
export function sorted<T extends { readonly id: number }>(items: readonly T[], query: ListQuery): T[] {
  const criteria = query.sort.map((text) => text.split(":"));
  return [...items].sort((a, b) => {
    for (const [field = "", direction] of criteria) {
      const order = compare(a[field as keyof T], b[field as keyof T]);
      if (order !== 0) return direction === "desc" ? -order : order;
    }
    return a.id - b.id;
  });
}

export interface Meta {
  readonly pagination: {
    readonly page: number;
    readonly per_page: number;
    readonly previous_page: number | null;
    readonly next_page: number | null;
    readonly last_page: number;
    readonly total_entries: number;
  };
}

/** One page of the items, and the `meta` object that describes it. */
export function paged<T>(items: readonly T[], query: ListQuery): { readonly page: T[]; readonly meta: Meta } {
  const { page, per_page } = query;
  const last = Math.max(1, Math.ceil(items.length / per_page));
  return {
    page: items.slice((page - 1) * per_page, page * per_page),
    meta: {
      pagination: {
        page,
        per_page,
        previous_page: page > 1 ? page - 1 : null,
        next_page: page < last ? page + 1 : null,
        last_page: last,
        total_entries: items.length,
      },
    },
  };
}
