import { expect, test } from 'vitest';
import { readPost } from './parse';

const sentiment = { label: 'POSITIVE', confidence: 0.9, emotion: null, model_name: 'm' };
const row = {
  post_id: 'a',
  source: 'x',
  content: 'hello',
  author: null,
  created_at: '2026-01-15T12:00:00Z',
  sentiment,
};

test('reads a row of REST', () => {
  expect(readPost(row)).toMatchObject({
    id: 'a',
    sentiment: 'positive',
    emotion: null,
    author: null,
    queuedAtMs: null,
  });
});

test('a post without an analysis is left for when it has one', () => {
  expect(readPost({ ...row, sentiment: null })).toBeNull();
});

test.each([
  [{ model_name: 'm', model_version: 2 }, 'm, version 2'],
  [{ model_name: 'm', model_version: 0 }, 'm'],
  [{ model_name: 'm' }, 'm'],
  [{ model_name: null }, null],
])('the model of %o is %s', (fields, model) => {
  expect(readPost({ ...row, sentiment: { ...sentiment, ...fields } })?.model).toBe(model);
});

test.each([null, 'text', [], {}])('what has another shape is no post: %o', (body) => {
  expect(readPost(body)).toBeNull();
});
