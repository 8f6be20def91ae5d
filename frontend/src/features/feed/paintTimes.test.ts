import { expect, test } from 'vitest';
import { samplePost } from '@/testing/samples';
import { PaintTimes, percentiles, SAMPLES } from './paintTimes';

const arrival = (queuedAtMs: number | null, receivedAtMs: number) => ({
  post: samplePost('p', { queuedAtMs }),
  receivedAtMs,
});

test('percentiles are values that were measured', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect(percentiles(hundred.toReversed())).toEqual({ p50Ms: 50, p95Ms: 95 });
  expect(percentiles([7])).toEqual({ p50Ms: 7, p95Ms: 7 });
});

test('the whole way begins in the stream, the part of the page with its message', () => {
  const times = new PaintTimes();
  times.record([arrival(1_000, 1_080)], 1_100);
  expect(times.latency.get()).toEqual({
    posts: 1,
    total: { p50Ms: 100, p95Ms: 100 },
    page: { p50Ms: 20, p95Ms: 20 },
  });
});

test('a server that does not say when a post came leaves the part of the page', () => {
  const times = new PaintTimes();
  times.record([arrival(null, 1_080)], 1_100);
  expect(times.latency.get()).toMatchObject({ total: null, page: { p50Ms: 20 } });
});

test('what cannot be, for two clocks differ, does not count', () => {
  const times = new PaintTimes();
  times.record([arrival(5_000, 1_000), arrival(1, 200_000)], 1_100);
  expect(times.latency.get()).toBeNull();
});

test('only the latest posts count', () => {
  const times = new PaintTimes();
  times.record(
    Array.from({ length: SAMPLES }, () => arrival(0, 900)),
    1_000,
  );
  times.record(
    Array.from({ length: SAMPLES }, () => arrival(2_000, 2_900)),
    3_000,
  );
  expect(times.latency.get()).toMatchObject({ posts: SAMPLES, total: { p50Ms: 1_000 } });
});
