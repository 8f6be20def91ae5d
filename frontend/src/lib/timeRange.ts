const MINUTE_MS = 60_000;

export type Period = 'minute' | 'ten_minute' | 'hour';

const STEP_MS: Record<Period, number> = {
  minute: MINUTE_MS,
  ten_minute: 10 * MINUTE_MS,
  hour: 60 * MINUTE_MS,
};

export const PERIOD_NAMES: Record<Period, string> = {
  minute: 'minute',
  ten_minute: '10 minutes',
  hour: 'hour',
};

/** What a page looks back at. */
export interface TimeRange {
  id: string;
  label: string;
  /** In a sentence: "in the last hour". */
  phrase: string;
  minutes: number;
  /** How finely charts divide it. */
  period: Period;
}

export const TIME_RANGES: readonly TimeRange[] = [
  { id: '5m', label: '5 min', phrase: 'last 5 minutes', minutes: 5, period: 'minute' },
  { id: '15m', label: '15 min', phrase: 'last 15 minutes', minutes: 15, period: 'minute' },
  { id: '1h', label: '1 h', phrase: 'last hour', minutes: 60, period: 'minute' },
  { id: '6h', label: '6 h', phrase: 'last 6 hours', minutes: 360, period: 'ten_minute' },
  { id: '24h', label: '24 h', phrase: 'last 24 hours', minutes: 1_440, period: 'hour' },
  { id: '7d', label: '7 days', phrase: 'last 7 days', minutes: 10_080, period: 'hour' },
];

/** Buckets of a chart: so many of a period, ending with the running one or starting at a fixed time. */
export interface Buckets {
  period: Period;
  stepMs: number;
  count: number;
  /** Null: they move on with the clock, so that the newest posts are always in the picture. */
  fixedMs: number | null;
}

export function rangeBuckets({ minutes, period }: TimeRange): Buckets {
  const stepMs = STEP_MS[period];
  return { period, stepMs, count: (minutes * MINUTE_MS) / stepMs, fixedMs: null };
}

/** Finer ones would be more than a chart can tell apart. */
const MOST_BUCKETS = 180;

/** The buckets that show a part of the past as finely as they can. */
export function spanBuckets({ fromMs, toMs }: { fromMs: number; toMs: number }): Buckets {
  const lengthMs = toMs - fromMs;
  const periods: Period[] = ['minute', 'ten_minute'];
  const period = periods.find((each) => lengthMs <= MOST_BUCKETS * STEP_MS[each]) ?? 'hour';
  const stepMs = STEP_MS[period];
  const fixedMs = Math.floor(fromMs / stepMs) * stepMs;
  return { period, stepMs, count: Math.ceil((toMs - fixedMs) / stepMs), fixedMs };
}

export function firstBucketMs({ fixedMs, stepMs, count }: Buckets, nowMs: number): number {
  return fixedMs ?? Math.floor(nowMs / stepMs) * stepMs - (count - 1) * stepMs;
}
