/** From a stream to a report: the two steps that every use has in common. */
import type { Listening } from "./exposure/adopted.js";
import { type ReadStatus, readPreview } from "./input/read.js";
import { StackBuilder } from "./model/stack.js";
import { buildReport } from "./report/build.js";
import type { Report } from "./report/report.js";

export interface PreviewOptions {
  /** Secrets that the caller knows (values of its environment, for example); none of them appears in the report. */
  secrets?: readonly string[];
  /** What listens on hosts that are adopted, by the names that the report gives them. Default: it is not known. */
  listening?: Listening;
}

/**
 * Reads engine events or a `preview --json` document, told apart by itself, and makes the report.
 * Throws only what `chunks` throws: broken input makes a report whose `status` is `incomplete`.
 */
export async function reportOf(
  chunks: AsyncIterable<Uint8Array | string>,
  options: PreviewOptions = {},
): Promise<{ report: Report; status: ReadStatus }> {
  const builder = new StackBuilder();
  const status = await readPreview(chunks, (event, raw) => builder.take(event, raw));
  return { report: buildReport(builder.build(), status, options), status };
}
