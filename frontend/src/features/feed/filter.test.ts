import { expect, test } from 'vitest';
import { samplePost } from '@/testing/samples';
import { filterPosts, NO_FILTER } from './filter';

const posts = [
  samplePost('a', { content: 'The train is late', sentiment: 'negative', emotion: 'anger' }),
  samplePost('b', { content: 'A lovely Train ride', author: null }),
  samplePost('c', { content: 'Lunch', source: 'reddit', sentiment: 'neutral', emotion: null }),
];
const ids = (filter: Partial<typeof NO_FILTER>) =>
  filterPosts(posts, { ...NO_FILTER, ...filter }).map(({ id }) => id);

test('without a filter the list is the same one', () => {
  expect(filterPosts(posts, NO_FILTER)).toBe(posts);
});

test('filters by sentiment', () => {
  expect(ids({ sentiment: 'neutral' })).toEqual(['c']);
});

test('finds every word, in any case and order, also in author, source and emotion', () => {
  expect(ids({ text: 'RIDE train' })).toEqual(['b']);
  expect(ids({ text: ' reddit ' })).toEqual(['c']);
  expect(ids({ text: 'ana anger' })).toEqual(['a']);
});

test('filters by emotion and by source', () => {
  expect(ids({ emotion: 'anger' })).toEqual(['a']);
  expect(ids({ source: 'reddit' })).toEqual(['c']);
});

test('both filters apply', () => {
  expect(ids({ sentiment: 'negative', text: 'lunch' })).toEqual([]);
});
