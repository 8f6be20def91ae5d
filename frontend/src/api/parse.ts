import {
  type Fields,
  readCount,
  readFields,
  readInstant,
  readList,
  readNumber,
  readString,
} from '@/lib/read';
import type { Bucket, Counts, Distribution, Health, Post, Sentiment } from './model';
import { SENTIMENTS } from './model';

function readSentiment(value: unknown): Sentiment | null {
  const label = readString(value)?.toLowerCase();
  return SENTIMENTS.find((known) => known === label) ?? null;
}

function readModel(analysis: Fields): string | null {
  const name = readString(analysis.model_name);
  // 0: analysed before versions were recorded.
  const version = readCount(analysis.model_version);
  return name !== null && version > 0 ? `${name}, version ${version}` : name;
}

/** A post with its analysis, from `/api/posts` or from `new_post`; null while it has none. */
export function readPost(value: unknown): Post | null {
  const post = readFields(value);
  if (post === null) return null;
  const analysis = readFields(post.sentiment) ?? {};
  const id = readString(post.post_id);
  const content = readString(post.content);
  const sentiment = readSentiment(post.sentiment_label ?? analysis.label);
  if (id === null || content === null || sentiment === null) return null;
  return {
    id,
    content,
    sentiment,
    source: readString(post.source) ?? 'unknown',
    author: readString(post.author),
    createdAtMs: readInstant(post.created_at) ?? readInstant(post.timestamp) ?? Date.now(),
    confidence: readNumber(post.confidence_score ?? analysis.confidence) ?? 0,
    emotion: readString(post.emotion ?? analysis.emotion)?.toLowerCase() ?? null,
    model: readModel(analysis),
    queuedAtMs: readInstant(post.queued_at),
  };
}

export function readCounts(value: unknown): Counts | null {
  const fields = readFields(value);
  if (fields === null) return null;
  const [positive, neutral, negative] = [fields.positive, fields.neutral, fields.negative].map(
    readCount,
  ) as [number, number, number];
  const total = readNumber(fields.total) ?? positive + neutral + negative;
  return { positive, neutral, negative, total };
}

export function readBucket(value: unknown): Bucket | null {
  const row = readFields(value);
  const startMs = readInstant(row?.timestamp);
  if (row === null || startMs === null) return null;
  return {
    startMs,
    positive: readCount(row.positive_count),
    neutral: readCount(row.neutral_count),
    negative: readCount(row.negative_count),
    total: readCount(row.total_count),
  };
}

export function readDistribution(value: unknown): Distribution | null {
  const body = readFields(value);
  const counts = readCounts(body?.distribution);
  if (body === null || counts === null) return null;
  const emotions = Object.entries(readFields(body.top_emotions) ?? {})
    .map(([label, count]) => ({ label: label.toLowerCase(), count: readCount(count) }))
    .sort((a, b) => b.count - a.count);
  return { counts: { ...counts, total: readNumber(body.total) ?? counts.total }, emotions };
}

const isConnected = (services: Fields | null, name: string) => services?.[name] === 'connected';

export function readHealth(value: unknown): Health | null {
  const body = readFields(value);
  const status = body?.status;
  if (status !== 'healthy' && status !== 'degraded' && status !== 'unhealthy') return null;
  const services = readFields(body?.services);
  return {
    status,
    services: {
      database: isConnected(services, 'database'),
      redis: isConnected(services, 'redis'),
      triton: isConnected(services, 'triton'),
    },
  };
}

export const readPostPage = (value: unknown) => readList(readFields(value)?.posts, readPost);
export const readAggregate = (value: unknown) => readList(readFields(value)?.data, readBucket);
