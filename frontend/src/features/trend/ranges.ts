import type { AggregateRange } from '@/api/queries';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export type RangeId = '15m' | '1h' | '24h';

export interface Range extends AggregateRange {
  id: RangeId;
  label: string;
  phrase: string;
  bucketMs: number;
  bucketCount: number;
}

/** The buckets end with the running one, so that the newest posts are always in the picture. */
export function firstBucketMs(nowMs: number, bucketMs: number, bucketCount: number): number {
  const runningMs = Math.floor(nowMs / bucketMs) * bucketMs;
  return runningMs - (bucketCount - 1) * bucketMs;
}

function range(definition: Omit<Range, 'startMs'>): Range {
  const { bucketMs, bucketCount } = definition;
  return { ...definition, startMs: () => firstBucketMs(Date.now(), bucketMs, bucketCount) };
}

export const RANGES: readonly Range[] = [
  range({
    id: '15m',
    label: '15 min',
    phrase: 'last 15 minutes',
    period: 'minute',
    bucketMs: MINUTE_MS,
    bucketCount: 15,
    refetchMs: 5_000,
  }),
  range({
    id: '1h',
    label: '1 h',
    phrase: 'last hour',
    period: 'minute',
    bucketMs: MINUTE_MS,
    bucketCount: 60,
    refetchMs: 5_000,
  }),
  range({
    id: '24h',
    label: '24 h',
    phrase: 'last 24 hours',
    period: 'hour',
    bucketMs: HOUR_MS,
    bucketCount: 24,
    refetchMs: 30_000,
  }),
];

export const DEFAULT_RANGE: RangeId = '15m';
