import { expect, test } from 'vitest';
import type { Bucket } from '@/api/model';
import { alignRows } from '@/lib/buckets';
import { complete, sum, trendData } from './series';
import { summarize } from './summary';

const MINUTE_MS = 60_000;
const bucket = (startMs: number, positive: number, negative = 0): Bucket => ({
  startMs,
  positive,
  neutral: 0,
  negative,
  total: positive + negative,
});

test('missing minutes are zero, and rows outside the range are left out', () => {
  const rows = [bucket(0, 9), bucket(5 * MINUTE_MS, 2), bucket(7 * MINUTE_MS, 1, 4)];
  const buckets = { period: 'minute', stepMs: MINUTE_MS, count: 4, fixedMs: null } as const;
  const filled = complete(alignRows(rows, buckets, 8 * MINUTE_MS + 1));
  expect(filled.map(({ startMs }) => startMs / MINUTE_MS)).toEqual([5, 6, 7, 8]);
  expect(filled.map(({ total }) => total)).toEqual([2, 0, 5, 0]);
});

test('the sum of nothing is zero', () => {
  expect(sum([]).total).toBe(0);
});

test('shares are of the posts of their minute, and those of none are gaps', () => {
  const { series, max } = trendData([bucket(0, 1, 3), bucket(MINUTE_MS, 0)], MINUTE_MS, 'share');
  expect(max).toBe(1);
  expect(series.map(({ name, values }) => [name, ...values])).toEqual([
    ['Positive', 0.25, null],
    ['Neutral', 0, null],
    ['Negative', 0.75, null],
  ]);
});

test('the summary says how many, how they feel, and when the most', () => {
  const peakMs = new Date(2026, 0, 15, 12, 1).getTime();
  const buckets = [bucket(peakMs - MINUTE_MS, 1), bucket(peakMs, 2, 1)];
  expect(summarize(buckets, 'last hour').replaceAll('\u00a0', ' ')).toBe(
    '4 posts in the last hour: 75 % positive, 0 % neutral, 25 % negative. Most at 12:01, with 3 posts.',
  );
  expect(summarize([bucket(0, 0)], 'last hour')).toBe('No posts in the last hour.');
});
