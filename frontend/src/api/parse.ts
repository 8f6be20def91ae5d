import {
  type Fields,
  readCount,
  readFields,
  readInstant,
  readNumber,
  readString,
} from '@/lib/read';
import type { Post, Sentiment } from './model';
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

/** A post with its analysis, as REST or `new_post` has it; null while it has none. */
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
