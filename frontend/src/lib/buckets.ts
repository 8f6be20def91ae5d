import { type Buckets, firstBucketMs } from './timeRange';

/**
 * The rows of an answer, one for each bucket that is shown now. A span that the server left out had no posts; it is
 * undefined here, and so is what has begun since the answer.
 */
export function alignRows<T extends { startMs: number }>(
  rows: readonly T[],
  buckets: Buckets,
  nowMs: number,
): { startMs: number; row: T | undefined }[] {
  const firstMs = firstBucketMs(buckets, nowMs);
  const byStart = new Map(rows.map((row) => [row.startMs, row]));
  return Array.from({ length: buckets.count }, (_, index) => {
    const startMs = firstMs + index * buckets.stepMs;
    return { startMs, row: byStart.get(startMs) };
  });
}
