/** An error that is its message: Pulumi prints a `RunError` without a stack trace. */
import * as pulumi from "@pulumi/pulumi";

export class PlainError extends pulumi.RunError {
  constructor(name: string, text: string) {
    super(text);
    // Thrown inside an `apply`, the message would get "error serializing property …" put in front once for every resource.
    Object.defineProperty(this, "message", { get: () => text, set: () => undefined });
    this.name = name;
    // Pulumi looks at the stack all the same. Through the outputs of a cluster it has so many frames that this took a minute and 2 GB.
    this.stack = `${name}: ${text}`;
  }
}
