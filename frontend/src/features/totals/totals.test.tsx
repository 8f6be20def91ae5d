// @vitest-environment jsdom
import { screen } from '@testing-library/react';
import { expect, test } from 'vitest';
import { TIME_RANGES, type TimeRange } from '@/lib/timeRange';
import { renderLive, stubApi } from '@/testing/render';
import { describeGrowth, describePoints } from './change';
import { Totals } from './Totals';

const change = (total_percent: number | null) => ({
  total_percent,
  positive_points: 2.4,
  neutral_points: 0.2,
  negative_points: -2.6,
});
const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test('growth names what it grew from', () => {
  expect(plain(describeGrowth(200, change(12.4)))).toBe('+12 % from 200 before');
  expect(plain(describeGrowth(200, change(-50)))).toBe('−50 % from 200 before');
  expect(describeGrowth(200, change(0.2))).toBe('as many as before (200)');
  expect(describeGrowth(0, change(null))).toBe('none before');
});

test('shares change in points, and not at all without something to compare', () => {
  expect(plain(describePoints(2.6))).toBe('+3 pts');
  expect(plain(describePoints(-1.2))).toBe('−1 pt');
  expect(describePoints(0.3)).toBe('as before');
  expect(describePoints(null)).toBe('');
});

test('shows the time asked for beside the time before', async () => {
  const counts = (total: number) => ({ positive: 6, neutral: 0, negative: total - 6, total });
  stubApi({
    '/api/sentiment/totals': {
      minutes: 60,
      source: null,
      current: counts(10),
      previous: counts(8),
      change: change(25),
    },
  });
  renderLive(<Totals range={TIME_RANGES[2] as TimeRange} source={null} />);
  expect((await screen.findByText('10')).dataset.testid).toBe('total-posts');
  expect(plain(screen.getByTestId('total-change').textContent)).toBe('+25 % from 8 before');
  expect(screen.getByTestId('total-positive').textContent).toContain('60');
  expect(plain(screen.getByTestId('change-negative').textContent)).toBe('−3 pts');
});
