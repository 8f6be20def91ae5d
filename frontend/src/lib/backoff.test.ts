import { expect, test } from 'vitest';
import { backoffDelayMs, FIRST_DELAY_MS, LONGEST_DELAY_MS } from './backoff';

test('doubles from the first delay up to the longest', () => {
  const delays = [0, 1, 2, 5, 50].map((attempt) => backoffDelayMs(attempt, () => 1));
  expect(delays).toEqual([FIRST_DELAY_MS, 1_000, 2_000, LONGEST_DELAY_MS, LONGEST_DELAY_MS]);
});

test('half of each delay is left to chance', () => {
  expect(backoffDelayMs(1, () => 0)).toBe(500);
  expect(backoffDelayMs(1, () => 0.5)).toBe(750);
});
