import { expect, test } from 'vitest';
import { firstBucketMs, rangeBuckets, spanBuckets, TIME_RANGES } from './timeRange';

const MINUTE_MS = 60_000;
const range = (id: string) => TIME_RANGES.find((each) => each.id === id) as (typeof TIME_RANGES)[0];

test('the buckets of a range end with the running one', () => {
  const buckets = rangeBuckets(range('15m'));
  const nowMs = 100 * MINUTE_MS + 31_000;
  const firstMs = firstBucketMs(buckets, nowMs);
  expect(firstMs).toBe(86 * MINUTE_MS);
  expect(firstMs + buckets.count * buckets.stepMs).toBe(101 * MINUTE_MS);
});

test('every range has as many buckets as a chart can show', () => {
  expect(TIME_RANGES.map((each) => rangeBuckets(each).count)).toEqual([5, 15, 60, 36, 24, 168]);
});

test('a part is shown more finely than the whole it is of, and stands still', () => {
  const fromMs = 1_000 * 60 * MINUTE_MS + 12_345;
  const hours = (count: number) => spanBuckets({ fromMs, toMs: fromMs + count * 60 * MINUTE_MS });
  expect(hours(2).period).toBe('minute');
  expect(hours(24).period).toBe('ten_minute');
  expect(hours(48).period).toBe('hour');
  expect(firstBucketMs(hours(2), 0)).toBe(1_000 * 60 * MINUTE_MS);
  expect(hours(2).count).toBe(121);
});
