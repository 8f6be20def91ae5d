import { expect, test } from 'vitest';
import { emotionRows } from './rows';

test('lists every emotion of the model, most frequent first, with shares of the whole', () => {
  const rows = emotionRows([
    { label: 'anger', count: 3 },
    { label: 'joy', count: 1 },
  ]);
  expect(rows).toHaveLength(7);
  expect(rows.slice(0, 2)).toEqual([
    { label: 'anger', count: 3, fraction: 0.75 },
    { label: 'joy', count: 1, fraction: 0.25 },
  ]);
});

test('keeps a label that it does not know', () => {
  expect(emotionRows([{ label: 'awe', count: 2 }])[0]?.label).toBe('awe');
});

test('no posts, no shares', () => {
  expect(emotionRows([]).every(({ fraction }) => fraction === 0)).toBe(true);
});
