import { expect, test } from 'vitest';
import type { Bucket } from '@/api/model';
import { fillBuckets, sum } from './buckets';
import { firstBucketMs } from './ranges';
import { summarize } from './summary';

const MINUTE_MS = 60_000;
const bucket = (startMs: number, positive: number, negative = 0): Bucket => ({
  startMs,
  positive,
  neutral: 0,
  negative,
  total: positive + negative,
});

test('the buckets end with the running one', () => {
  const nowMs = 10 * MINUTE_MS + 31_000;
  expect(firstBucketMs(nowMs, MINUTE_MS, 3)).toBe(8 * MINUTE_MS);
});

test('missing minutes are zero, and rows outside the range are left out', () => {
  const rows = [bucket(0, 9), bucket(5 * MINUTE_MS, 2), bucket(7 * MINUTE_MS, 1, 4)];
  const filled = fillBuckets(rows, 5 * MINUTE_MS, MINUTE_MS, 4);
  expect(filled.map(({ startMs }) => startMs / MINUTE_MS)).toEqual([5, 6, 7, 8]);
  expect(filled.map(({ total }) => total)).toEqual([2, 0, 5, 0]);
});

test('rows of the same span add up', () => {
  const rows = [bucket(10_000, 1), bucket(20_000, 2)];
  expect(fillBuckets(rows, 0, MINUTE_MS, 1)).toEqual([bucket(0, 3)]);
});

test('the sum of nothing is zero', () => {
  expect(sum([]).total).toBe(0);
});

test('the summary says how many, how they feel, and when the most', () => {
  const peakMs = new Date(2026, 0, 15, 12, 1).getTime();
  const text = summarize([bucket(peakMs - MINUTE_MS, 1), bucket(peakMs, 2, 1)], {
    phrase: 'last hour',
  }).replaceAll('\u00a0', ' ');
  expect(text).toBe(
    '4 posts in the last hour: 75 % positive, 0 % neutral, 25 % negative. Most at 12:01, with 3 posts.',
  );
  expect(summarize([bucket(0, 0)], { phrase: 'last hour' })).toBe('No posts in the last hour.');
});
