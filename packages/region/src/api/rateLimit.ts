/**
 * The headers of the API's rate limit: 3600 requests an hour and project, one more each second. The region counts as
 * Hetzner does but refuses nothing: its clients are tests, and a fault can answer `rate_limit_exceeded` where one wants it.
 */

const LIMIT = 3600;
const MS_PER_REQUEST = 1000;

export interface RateLimit {
  /** Counts one request and returns the headers of its answer. */
  headers(): Record<string, string>;
}

export function createRateLimit(clock: () => Date): RateLimit {
  let remaining = LIMIT;
  let filledAt = clock().getTime();
  return {
    headers() {
      const now = clock().getTime();
      const regained = Math.floor((now - filledAt) / MS_PER_REQUEST);
      remaining = Math.max(0, Math.min(LIMIT, remaining + regained) - 1);
      filledAt += regained * MS_PER_REQUEST;
      const full = now + (LIMIT - remaining) * MS_PER_REQUEST;
      return {
        "ratelimit-limit": String(LIMIT),
        "ratelimit-remaining": String(remaining),
        "ratelimit-reset": String(Math.ceil(full / 1000)),
      };
    },
  };
}
