import { expect, test } from 'vitest';
import { emotionData, emotionShares } from './shares';

const range = { emotions: ['joy', 'anger'], rows: [{ counts: [5, 5] }] };

test('lists every emotion of the model, most frequent now first, beside the range', () => {
  const shares = emotionShares({ emotions: ['anger', 'joy'], rows: [{ counts: [3, 1] }] }, range);
  expect(shares).toHaveLength(7);
  expect(shares.slice(0, 2)).toEqual([
    { label: 'anger', count: 3, fraction: 0.75, points: 25 },
    { label: 'joy', count: 1, fraction: 0.25, points: -25 },
  ]);
});

test('keeps a label that it does not know', () => {
  const shares = emotionShares({ emotions: ['awe'], rows: [{ counts: [2] }] }, range);
  expect(shares[0]?.label).toBe('awe');
});

test('no posts, no shares, and nothing to compare', () => {
  const shares = emotionShares({ emotions: [], rows: [] }, range);
  expect(shares.every(({ fraction, points }) => fraction === 0 && points === null)).toBe(true);
});

test('a line is a share of its time, and a gap where there were no posts', () => {
  const row = (startMs: number, ...counts: number[]) => ({ startMs, counts, total: 9 });
  const aligned = [
    { startMs: 0, row: row(0, 3, 1) },
    { startMs: 1, row: row(1, 0, 0) },
    { startMs: 2, row: undefined },
    { startMs: 3, row: row(3, 0, 4) },
  ];
  const [joy, anger] = emotionData(['joy', 'anger'], aligned, 1).series;
  expect(joy?.values).toEqual([0.75, null, null, 0]);
  expect(anger?.values).toEqual([0.25, null, null, 1]);
  expect(anger?.readout?.replace('\u00a0', ' ')).toBe('63 %');
});
