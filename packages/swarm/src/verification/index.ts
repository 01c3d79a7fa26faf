/** The verification's report, its checks, and how a failed one becomes an error. Pure. */
export { type CheckDescription, describeCheck } from "./checks";
export { type Check, failedChecks, parseReport, type Report, ReportError, verificationError } from "./report";
