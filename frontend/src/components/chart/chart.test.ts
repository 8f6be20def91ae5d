import { expect, test } from 'vitest';
import { readout, stack } from './stack';
import { formatMark, formatPoint, moveSpan, scaleSpan } from './time';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const series = (...values: (number | null)[]) => ({ name: 'a', color: 'text', values });

test('bars stand on those of the series after them', () => {
  expect(stack([series(1, 2), series(3, 0), series(5, 5)], 2)).toEqual([
    [9, 7],
    [8, 5],
    [5, 5],
  ]);
});

test('a time of which nothing is known has no bar, one of which something is known has the rest', () => {
  expect(stack([series(null, 1), series(null, null)], 2)).toEqual([
    [null, 1],
    [null, null],
  ]);
});

test('a legend sums up bars, and shows where a line has come to', () => {
  expect(readout('stacked', [1, null, 2])).toBe(3);
  expect(readout('lines', [1, 2, null])).toBe(2);
  expect(readout('lines', [null])).toBeNull();
});

const whole = { fromMs: 0, toMs: 60 * MINUTE_MS };
const minutes = (span: { fromMs: number; toMs: number } | null) =>
  span && [span.fromMs / MINUTE_MS, span.toMs / MINUTE_MS];

test('nearer keeps the middle, further ends with the whole', () => {
  const half = scaleSpan(whole, 0.5, whole, MINUTE_MS);
  expect(minutes(half)).toEqual([15, 45]);
  expect(scaleSpan(half ?? whole, 2, whole, MINUTE_MS)).toBeNull();
});

test('nobody zooms closer than a few steps', () => {
  const least = { fromMs: 30 * MINUTE_MS, toMs: 33 * MINUTE_MS };
  expect(scaleSpan(least, 0.5, whole, MINUTE_MS)).toEqual(least);
});

test('moving stops at the ends', () => {
  const span = { fromMs: 36 * MINUTE_MS, toMs: 56 * MINUTE_MS };
  expect(minutes(moveSpan(span, -1, whole))).toEqual([31, 51]);
  expect(minutes(moveSpan(span, 1, whole))).toEqual([40, 60]);
});

test('times are written as exactly as their distance needs', () => {
  const noon = new Date(2026, 0, 15, 12).getTime();
  const midnight = new Date(2026, 0, 15).getTime();
  expect(formatMark(noon, 5_000)).toBe('12:00:00');
  expect(formatMark(noon, MINUTE_MS)).toBe('12:00');
  expect(formatMark(midnight, 6 * 60 * MINUTE_MS)).toBe('15 Jan');
  expect(formatMark(noon, DAY_MS)).toBe('15 Jan');
  expect(formatPoint(noon, MINUTE_MS, DAY_MS)).toBe('12:00');
  expect(formatPoint(noon, MINUTE_MS, 7 * DAY_MS)).toBe('15 Jan, 12:00');
});
