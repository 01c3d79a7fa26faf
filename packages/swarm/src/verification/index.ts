/** The verification's report, and how a failed one becomes an error. Pure. */
export { type Check, failedChecks, parseReport, type Report, ReportError, verificationError } from "./report";
