import type { Bucket, Counts } from '@/api/model';

const EMPTY: Counts = { positive: 0, neutral: 0, negative: 0, total: 0 };

function add(a: Counts, b: Counts): Counts {
  return {
    positive: a.positive + b.positive,
    neutral: a.neutral + b.neutral,
    negative: a.negative + b.negative,
    total: a.total + b.total,
  };
}

export const sum = (counts: readonly Counts[]): Counts => counts.reduce(add, EMPTY);

/** Exactly `count` buckets from `firstMs`. A span that the server left out had no posts, and is shown as such. */
export function fillBuckets(
  rows: readonly Bucket[],
  firstMs: number,
  bucketMs: number,
  count: number,
): Bucket[] {
  const byIndex = new Map<number, Counts>();
  for (const row of rows) {
    const index = Math.floor((row.startMs - firstMs) / bucketMs);
    byIndex.set(index, add(byIndex.get(index) ?? EMPTY, row));
  }
  return Array.from({ length: count }, (_, index) => ({
    startMs: firstMs + index * bucketMs,
    ...(byIndex.get(index) ?? EMPTY),
  }));
}
