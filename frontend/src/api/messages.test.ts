import { beforeEach, expect, test, vi } from 'vitest';
import { newPostMessage } from '@/testing/samples';
import { parseMessage } from './messages';

const parse = (message: unknown) => parseMessage(JSON.stringify(message));

beforeEach(() => {
  vi.spyOn(console, 'debug').mockImplementation(() => {});
});

test('reads a new post', () => {
  expect(parse(newPostMessage('p1'))).toEqual({
    type: 'new_post',
    data: {
      id: 'p1',
      content: 'Text of p1',
      source: 'reddit',
      author: 'ben',
      createdAtMs: Date.UTC(2026, 0, 15, 12),
      sentiment: 'negative',
      confidence: 0.873,
      emotion: 'anger',
      model: 'm, version 3',
      queuedAtMs: null,
    },
  });
});

test('reads when a post came into the stream', () => {
  const { type, data } = newPostMessage('p1');
  const queued_at = '2026-01-15T12:00:00.125Z';
  expect(parse({ type, data: { ...data, queued_at } })?.data).toMatchObject({
    queuedAtMs: Date.UTC(2026, 0, 15, 12, 0, 0, 125),
  });
});

test('reads which posts were deleted', () => {
  const data = { post_ids: ['p1', 'at://x/y'] };
  expect(parse({ type: 'deleted', data })).toEqual({ type: 'deleted', data: data.post_ids });
  expect(parse({ type: 'deleted', data: { post_ids: [1] } })).toBeNull();
});

test('takes totals as the sign to ask for them', () => {
  expect(parse({ type: 'metrics_update', data: {} })?.type).toBe('metrics_update');
});

test('reads an alert row, of which some columns may be missing', () => {
  const data = {
    id: 7,
    alert_type: 'high_negative_ratio',
    threshold_value: '0.5',
    actual_value: 0.62,
    window_start: '2026-01-15T12:00:00Z',
    window_end: '2026-01-15T12:05:00Z',
    post_count: 148,
    triggered_at: '2026-01-15T12:05:01Z',
  };
  expect(parse({ type: 'alert', data })?.data).toMatchObject({
    id: 7,
    threshold: 0.5,
    actual: 0.62,
    resolvedAtMs: null,
  });
});

test('reads which share of the posts the feed has', () => {
  const data = { sampled: true, posts: 1234, shown: 200, seconds: 1.002 };
  expect(parse({ type: 'feed', data })).toEqual({
    type: 'feed',
    data: { isSampled: true, posts: 1234, shown: 200, seconds: 1.002 },
  });
});

test.each([{ type: 'ping' }, { type: 'connected', message: 'hi' }, { type: 'of the future' }])(
  'passes over %o without a word',
  (message) => {
    expect(parse(message)).toBeNull();
    expect(console.debug).not.toHaveBeenCalled();
  },
);

test.each([
  'no json',
  'null',
  '[]',
  '{"data":{}}',
  '{"type":"new_post"}',
  '{"type":"new_post","data":{"post_id":"1","content":"x","sentiment_label":"angry"}}',
  '{"type":"metrics_update","data":[]}',
  '{"type":"alert","data":[]}',
  '{"type":"feed","data":{"posts":1}}',
])('ignores the malformed %s, with a note', (raw) => {
  expect(parseMessage(raw)).toBeNull();
  expect(console.debug).toHaveBeenCalledOnce();
});

test('ignores binary frames', () => {
  expect(parseMessage(new ArrayBuffer(4))).toBeNull();
});
