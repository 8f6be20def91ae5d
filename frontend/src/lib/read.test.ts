import { expect, test } from 'vitest';
import { readCount, readInstant, readList, readNumber, readString } from './read';

test('numbers may come as text, as PostgreSQL numerics do', () => {
  expect([0.5, '0.50', '', 'x', null, Number.NaN].map(readNumber)).toEqual([
    0.5,
    0.5,
    null,
    null,
    null,
    null,
  ]);
});

test('an instant without a zone is UTC', () => {
  const noonMs = Date.UTC(2026, 0, 15, 12);
  const texts = ['2026-01-15T12:00:00Z', '2026-01-15T12:00:00', '2026-01-15T13:00:00+01:00'];
  expect(texts.map(readInstant)).toEqual([noonMs, noonMs, noonMs]);
  expect(readInstant('soon')).toBeNull();
});

test('a list drops what cannot be read, and is null when it is no list', () => {
  expect(readList(['a', 1, 'b'], readString)).toEqual(['a', 'b']);
  expect(readList({}, readString)).toBeNull();
});

test('a count is never negative', () => {
  expect([-3, undefined, '7'].map(readCount)).toEqual([0, 0, 7]);
});
