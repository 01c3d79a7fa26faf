/** Counts what a program does instead of how long it takes: the same on a busy machine as on an idle one. */
import { Session } from "node:inspector/promises";

/**
 * How often blocks of code are entered, as V8's block coverage counts them. Twice the input of a linear program gives about twice the
 * count. What happens inside of built-in functions is not counted, nor is code that was compiled before the start: import what is to be
 * measured after it.
 */
export class OperationCounter {
  private readonly session = new Session();

  async start(): Promise<void> {
    this.session.connect();
    await this.session.post("Profiler.enable");
    await this.session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** @param files What to count: the part of the URL that names the code. */
  async count(work: () => Promise<unknown>, files: RegExp): Promise<number> {
    await this.session.post("Profiler.takePreciseCoverage");
    await work();
    const { result } = await this.session.post("Profiler.takePreciseCoverage");
    return result
      .filter(({ url }) => files.test(url))
      .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
      .reduce((sum, { count }) => sum + count, 0);
  }

  async stop(): Promise<void> {
    await this.session.post("Profiler.stopPreciseCoverage");
    this.session.disconnect();
  }
}
