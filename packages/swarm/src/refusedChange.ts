import { PlainError } from "./plainError";

/** A change that would do harm, refused before anything was changed. */
export class RefusedChangeError extends PlainError {
  constructor(component: string, reason: string) {
    super("RefusedChangeError", `${component}: ${reason}`);
  }
}
