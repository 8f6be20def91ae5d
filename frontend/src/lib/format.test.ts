import { expect, test } from 'vitest';
import { formatAge, formatCount, formatMoment, formatPercent, plural, share } from './format';

test('per cent never rounds something to nothing, nor a part to the whole', () => {
  const texts = [0, 0.004, 0.62, 0.996, 1].map((fraction) => formatPercent(fraction));
  expect(texts).toEqual(['0\u00a0%', '<1\u00a0%', '62\u00a0%', '>99\u00a0%', '100\u00a0%']);
});

test('the share of nothing is zero', () => {
  expect(share(0, 0)).toBe(0);
});

test('ages grow coarser, and a clock ahead of ours reads as now', () => {
  const nowMs = new Date(2026, 0, 15, 12).getTime();
  const ages = [-60, 3, 12, 240, 3 * 3600, 50 * 3600].map((seconds) =>
    formatAge(nowMs - seconds * 1000, nowMs),
  );
  expect(ages).toEqual(['now', 'now', '12\u00a0s', '4\u00a0min', '3\u00a0h', '13 Jan']);
});

test('a moment of another day carries its date', () => {
  const nowMs = new Date(2026, 0, 15, 12).getTime();
  expect(formatMoment(new Date(2026, 0, 15, 9, 5).getTime(), nowMs)).toBe('09:05');
  expect(formatMoment(new Date(2026, 0, 14, 9, 5).getTime(), nowMs)).toBe('14 Jan, 09:05');
});

test('counts are grouped and agree with their noun', () => {
  expect(formatCount(12_345)).toBe('12,345');
  expect(plural(1, 'post')).toBe('1\u00a0post');
  expect(plural(1_200, 'post')).toBe('1,200\u00a0posts');
});
