import { expect, test } from 'vitest';
import { samplePost } from '@/testing/samples';
import { problemOf } from './ConfidenceRange';
import { foldAt } from './FoundText';
import { NO_FILTERS } from './filters';
import { localText, msOfLocal } from './localTime';
import { markMatches } from './marks';
import { fractionOf, percentText } from './percent';
import { exportUrl, postsQuery } from './postsQuery';
import { matches } from './useHasNewer';

const marked = (text: string, search: string) =>
  markMatches(text, search)
    .map((part) => (part.isMatch ? `[${part.text}]` : part.text))
    .join('');

test('matches are marked in any case, and what was typed is no pattern', () => {
  expect(marked('The train, the TRAIN!', 'train')).toBe('The [train], the [TRAIN]!');
  expect(marked('1+1=2 (a.b) c', '(a.b)')).toBe('1+1=2 [(a.b)] c');
  expect(marked('axb', 'a.b')).toBe('axb');
  expect(marked('over 50% off_all', '% OFF_')).toBe('over 50[% off_]all');
  expect(marked('a-b/c\\d', '-b/c\\')).toBe('a[-b/c\\]d');
  expect(marked('so 😂😂', '😂')).toBe('so [😂][😂]');
  expect(markMatches('as it is', null)).toEqual([{ text: 'as it is', isMatch: false }]);
});

test('a long text is folded, but never before its first match', () => {
  const long = `${'x'.repeat(900)} needle ${'y'.repeat(300)}`;
  expect(foldAt(long, markMatches(long, null))).toBe(500);
  expect(foldAt(long, markMatches(long, 'needle'))).toBe(907);
  expect(foldAt('short', markMatches('short', null))).toBe(5);
  const lines = Array.from({ length: 20 }, (_, line) => `line ${line}`).join('\n');
  expect(lines.slice(0, foldAt(lines, markMatches(lines, null))).split('\n')).toHaveLength(8);
});

test('a span that ends now starts at the time of the search', () => {
  const nowMs = Date.UTC(2026, 0, 15, 12);
  expect(postsQuery({ ...NO_FILTERS, range: '1h' }, nowMs)).toEqual({
    start_date: '2026-01-15T11:00:00.000Z',
  });
  expect(postsQuery(NO_FILTERS, nowMs)).toEqual({});
});

test('the file is asked for with the filters of the list', () => {
  const query = postsQuery({ ...NO_FILTERS, search: 'a&b', minConfidence: 0 }, 0);
  expect(exportUrl(query, 'csv', 1_000)).toBe(
    '/api/posts/export?format=csv&limit=1000&search=a%26b&min_confidence=0',
  );
});

test('percentages are typed in several ways, and nothing else is one', () => {
  expect(['', ' 75 ', '7.5', '7,5', '80 %', '0', '100'].map(fractionOf)).toEqual([
    null,
    0.75,
    0.075,
    0.075,
    0.8,
    0,
    1,
  ]);
  for (const text of ['x', '-1', '101', '1e1', '0x10', 'NaN', '1 2']) {
    expect(fractionOf(text)).toBeUndefined();
  }
  expect([null, 0.755, 0.29, 1].map(percentText)).toEqual(['', '75.5', '29', '100']);
});

test('confidences that make no sense are told', () => {
  expect(problemOf('', '')).toBeNull();
  expect(problemOf('50', '')).toBeNull();
  expect(problemOf('90', '10')).toBe('“From” is more than “To”.');
  expect(problemOf('abc', '')).toBe('A number from 0 to 100, please.');
});

test('fields of local time hold what they are given', () => {
  for (const ms of [Date.UTC(2026, 0, 31, 12, 5), Date.UTC(2026, 6, 31, 23, 59, 7)]) {
    expect(msOfLocal(localText(ms))).toBe(ms);
  }
  expect(localText(null)).toBe('');
  expect(msOfLocal('')).toBeNull();
  // On the way to the year 2026.
  expect(msOfLocal('0002-01-01T00:00')).toBeNull();
});

test('a post that arrives matches by the same filters', () => {
  const post = samplePost('a', { content: 'Late TRAIN', confidence: 0.8, emotion: 'anger' });
  expect(matches(post, NO_FILTERS)).toBe(true);
  expect(matches(post, { ...NO_FILTERS, search: 'train', emotion: 'Anger' })).toBe(true);
  for (const filter of [
    { search: 'bus' },
    { source: 'reddit' },
    { sentiment: 'negative' as const },
    { emotion: 'joy' },
    { minConfidence: 0.81 },
    { maxConfidence: 0.79 },
    { fromMs: post.createdAtMs + 1 },
    { toMs: post.createdAtMs },
  ]) {
    expect(matches(post, { ...NO_FILTERS, ...filter })).toBe(false);
  }
});
