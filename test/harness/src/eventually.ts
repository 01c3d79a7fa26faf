/** Waits until `probe` gives something truthy; the error says what was waited for and what was seen last. */
export async function eventually<T>(what: string, seconds: number, probe: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${seconds} s; last: ${String(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
