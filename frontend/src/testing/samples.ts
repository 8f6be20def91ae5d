import type { Alert, Post } from '@/api/model';

export const samplePost = (id: string, changes: Partial<Post> = {}): Post => ({
  id,
  source: 'mastodon',
  content: `Text of ${id}`,
  author: 'ana',
  createdAtMs: Date.UTC(2026, 0, 15, 12),
  sentiment: 'positive',
  confidence: 0.91,
  emotion: 'joy',
  model: 'm, version 3',
  queuedAtMs: null,
  ...changes,
});

export const sampleAlert = (id: number, changes: Partial<Alert> = {}): Alert => ({
  id,
  type: 'high_negative_ratio',
  kind: 'sentiment_ratio',
  ruleId: 0,
  ruleName: 'High negative ratio',
  sentiment: 'negative',
  emotion: null,
  source: null,
  keyword: null,
  threshold: 0.5,
  actual: 0.62,
  windowStartMs: new Date(2026, 0, 15, 12, 0).getTime(),
  windowEndMs: new Date(2026, 0, 15, 12, 5).getTime(),
  postCount: 148,
  triggeredAtMs: new Date(2026, 0, 15, 12, 5).getTime(),
  resolvedAtMs: null,
  acknowledgedAtMs: null,
  acknowledgedNote: null,
  ...changes,
});

/** A `new_post` message as the server sends it. */
export const newPostMessage = (id: string, label = 'negative') => ({
  type: 'new_post',
  data: {
    post_id: id,
    content: `Text of ${id}`,
    source: 'reddit',
    author: 'ben',
    created_at: '2026-01-15T12:00:00+00:00',
    sentiment_label: label,
    confidence_score: 0.873,
    emotion: 'anger',
    timestamp: '2026-01-15T12:00:01+00:00',
    sentiment: {
      label,
      sentiment_label: label,
      confidence: 0.873,
      emotion: 'anger',
      model_name: 'm',
      model_version: 3,
    },
  },
});
