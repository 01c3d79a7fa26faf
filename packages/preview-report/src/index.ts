export { EXIT, evaluateGates, GATES, type GateName, type GateOutcome, type GateResult } from "./gates/gates.js";
export { parseWaivers, type Waiver, WaiverFileError } from "./gates/waivers.js";
export { type CommentTarget, markerOf, upsertComment } from "./github/comment.js";
export { type PreviewOptions, reportOf } from "./preview.js";
export { type MarkdownOptions, renderMarkdown } from "./render/markdown.js";
export { renderText } from "./render/text.js";
export type { Report } from "./report/report.js";
