import { expect, test } from 'vitest';
import type { JourneyStep } from '@/api/schema';
import { formatDuration } from './duration';
import { preciseMs, timelineOf } from './timeline';

const step = (
  name: JourneyStep['name'],
  at: string | null,
  changes: Partial<JourneyStep> = {},
) => ({
  name,
  at,
  took_ms: null,
  detail: null,
  queue_ms: null,
  compute_ms: null,
  ...changes,
});

test('fractions of a millisecond are kept', () => {
  const from = preciseMs('2026-01-15T12:00:00.123456Z');
  expect(from - Date.UTC(2026, 0, 15, 12)).toBeCloseTo(123.456, 3);
  expect(preciseMs('2026-01-15T12:00:00Z')).toBe(Date.UTC(2026, 0, 15, 12));
});

test('bars lie on one axis that begins with the stream, each ending at its moment', () => {
  const { rows, spanMs } = timelineOf([
    step('written', '2026-01-14T12:00:00Z'),
    step('queued', '2026-01-15T12:00:00Z'),
    step('read', '2026-01-15T12:00:00.020Z', { took_ms: 20 }),
    step('inferred_sentiment', '2026-01-15T12:00:00.090Z', {
      took_ms: 40,
      queue_ms: 10,
      compute_ms: 20,
    }),
    step('stored', null),
    step('pushed', '2026-01-15T12:00:00.100Z', { took_ms: 5 }),
  ]);
  expect(spanMs).toBe(100);
  expect(rows.map(({ bar }) => bar && [bar.start, bar.length])).toEqual([
    null,
    [0, 0],
    [0, 0.2],
    [0.5, 0.4],
    null,
    [0.95, 0.05],
  ]);
  expect(rows[3]?.bar?.split).toEqual({ queue: 0.25, compute: 0.5 });
  expect(rows.map(({ doneAfterMs }) => doneAfterMs)).toEqual([null, 0, 20, 90, null, 100]);
});

test('a step that is said to take longer than the post was here makes the axis longer, not the bar negative', () => {
  const { rows, spanMs } = timelineOf([
    step('queued', '2026-01-15T12:00:00Z'),
    step('stored', '2026-01-15T12:00:00.010Z', { took_ms: 30 }),
  ]);
  expect(spanMs).toBe(30);
  expect(rows.map(({ bar }) => bar && [bar.start, bar.length])).toEqual([
    [20 / 30, 0],
    [0, 1],
  ]);
});

test('where nothing is recorded there is no axis', () => {
  const { rows, startMs } = timelineOf([
    step('written', '2026-01-15T12:00:00Z'),
    step('queued', null),
  ]);
  expect(startMs).toBeNull();
  expect(rows.every(({ bar }) => bar === null)).toBe(true);
});

test('durations keep three digits that tell something', () => {
  const texts = [0, 0.417, 8.3, 12.345, 142.4, 1_250, 59_990, 200_000, 7_500_000, 400_000_000];
  expect(texts.map(formatDuration)).toEqual(
    [
      '0 ms',
      '0.42 ms',
      '8.3 ms',
      '12.3 ms',
      '142 ms',
      '1.25 s',
      '59.99 s',
      '3 min',
      '2 h',
      '5 days',
    ].map((text) => text.replace(' ', '\u00a0')),
  );
});
