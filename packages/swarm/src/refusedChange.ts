import * as pulumi from "@pulumi/pulumi";

/** A change that would do harm, refused before anything was changed. Pulumi prints a `RunError` without a stack trace. */
export class RefusedChangeError extends pulumi.RunError {
  constructor(component: string, reason: string) {
    const text = `${component}: ${reason}`;
    super(text);
    // Thrown inside an `apply`, the message would get "error serializing property …" put in front once for every resource.
    Object.defineProperty(this, "message", { get: () => text, set: () => undefined });
    this.name = "RefusedChangeError";
  }
}
