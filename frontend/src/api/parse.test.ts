import { expect, test } from 'vitest';
import { readAggregate, readDistribution, readHealth, readPostPage } from './parse';

test('posts without an analysis are left for when they have one', () => {
  const posts = [
    {
      post_id: 'a',
      source: 'x',
      content: 'hello',
      author: null,
      created_at: '2026-01-15T12:00:00Z',
      sentiment: { label: 'POSITIVE', confidence: 0.9, emotion: null, model_name: 'm' },
    },
    { post_id: 'b', source: 'x', content: 'hello', sentiment: null },
  ];
  expect(readPostPage({ posts })).toEqual([
    expect.objectContaining({ id: 'a', sentiment: 'positive', emotion: null, author: null }),
  ]);
});

test.each([
  [{ model_name: 'm', model_version: 2 }, 'm, version 2'],
  [{ model_name: 'm', model_version: 0 }, 'm'],
  [{ model_name: 'm' }, 'm'],
  [{}, null],
])('the model of %o is %s', (fields, model) => {
  const post = { post_id: 'a', content: 'hello', sentiment: { label: 'neutral', ...fields } };
  expect(readPostPage({ posts: [post] })?.[0]?.model).toBe(model);
});

test('emotions are sorted, whatever order the server used', () => {
  const body = {
    distribution: { positive: 2, negative: 1, neutral: 1 },
    total: 4,
    top_emotions: { fear: 1, joy: 3 },
  };
  expect(readDistribution(body)).toEqual({
    counts: { positive: 2, negative: 1, neutral: 1, total: 4 },
    emotions: [
      { label: 'joy', count: 3 },
      { label: 'fear', count: 1 },
    ],
  });
});

test('aggregate rows become buckets', () => {
  const row = {
    timestamp: '2026-01-15T12:00:00+00:00',
    positive_count: 3,
    negative_count: 2,
    neutral_count: 1,
    total_count: 6,
  };
  expect(readAggregate({ data: [row] })).toEqual([
    { startMs: Date.UTC(2026, 0, 15, 12), positive: 3, negative: 2, neutral: 1, total: 6 },
  ]);
});

test('a service that is not said to be connected is not', () => {
  const body = { status: 'degraded', services: { database: 'connected', redis: 'disconnected' } };
  expect(readHealth(body)?.services).toEqual({ database: true, redis: false, triton: false });
});

test.each([null, 'text', [], {}])('answers of another shape are refused: %o', (body) => {
  expect(
    [readPostPage, readDistribution, readAggregate, readHealth].map((read) => read(body)),
  ).toEqual([null, null, null, null]);
});
