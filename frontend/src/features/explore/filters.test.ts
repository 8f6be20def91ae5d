import { expect, test } from 'vitest';
import { countFilters, type Filters, NO_FILTERS, readFilters, writeFilters } from './filters';

const read = (query: string) => readFilters(new URLSearchParams(query));

test('an address without parameters filters nothing', () => {
  expect(read('')).toEqual({ filters: NO_FILTERS, notes: [] });
  expect(read('search=&source=&utm_source=letter')).toEqual({ filters: NO_FILTERS, notes: [] });
});

test('every filter goes into the address and comes back', () => {
  const filters: Filters = {
    search: '100% “sure” & <b>',
    source: 'reddit',
    sentiment: 'negative',
    emotion: 'anger',
    minConfidence: 0.5,
    maxConfidence: 0.975,
    range: null,
    fromMs: Date.UTC(2026, 0, 31, 12),
    toMs: Date.UTC(2026, 1, 1, 0, 0, 0, 500),
  };
  expect(read(writeFilters(filters).toString())).toEqual({ filters, notes: [] });
  const recent: Filters = { ...NO_FILTERS, range: '24h' };
  expect(read(writeFilters(recent).toString())).toEqual({ filters: recent, notes: [] });
});

test.each([
  ['sentiment=angry', 'sentiment “angry” is ignored: it can be positive, neutral, negative.'],
  ['min_confidence=1.5', 'min_confidence “1.5” is ignored: it goes from 0 to 1.'],
  ['max_confidence=0x1', 'max_confidence “0x1” is ignored: it goes from 0 to 1.'],
  ['range=1y', 'range “1y” is ignored: there is no such time range.'],
  [
    'start_date=yesterday',
    'start_date “yesterday” is ignored: a time looks like 2026-01-31T12:00:00Z.',
  ],
  [
    'end_date=1767225600',
    'end_date “1767225600” is ignored: a time looks like 2026-01-31T12:00:00Z.',
  ],
  [
    'end_date=2026-02-31T99:00Z',
    'end_date “2026-02-31T99:00Z” is ignored: a time looks like 2026-01-31T12:00:00Z.',
  ],
  [`source=${'x'.repeat(51)}`, `source “${'x'.repeat(40)}…” is ignored: at most 50 characters.`],
  ['search=a%00b', 'search “a\0b” is ignored: at most 200 characters.'],
  [
    'min_confidence=0.9&max_confidence=0.1',
    'Both confidences are ignored: the least is above the greatest.',
  ],
  ['range=1h&start_date=2026-01-01', 'range is ignored: start_date and end_date say when.'],
  [
    'start_date=2026-01-02&end_date=2026-01-01',
    'Both dates are ignored: the start is not before the end.',
  ],
])('%s is ignored, and told', (query, note) => {
  const { filters, notes } = read(`${query}&emotion=joy`);
  expect(notes).toEqual([note]);
  expect(filters.emotion).toBe('joy');
  expect(countFilters(filters)).toBe(query.startsWith('range=1h') ? 2 : 1);
});

test('a time without a zone is UTC, as for the API', () => {
  expect(read('start_date=2026-01-31T12:00').filters.fromMs).toBe(Date.UTC(2026, 0, 31, 12));
  expect(read('start_date=2026-01-31').filters.fromMs).toBe(Date.UTC(2026, 0, 31));
  expect(read('start_date=2026-01-31T12:00%2B01:00').filters.fromMs).toBe(
    Date.UTC(2026, 0, 31, 11),
  );
});

test('a sentiment may be written in any case', () => {
  expect(read('sentiment=Negative').filters.sentiment).toBe('negative');
});
