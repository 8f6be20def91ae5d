import { type Fields, readCount, readFields, readNumber } from '@/lib/read';
import { readAlert } from './alertRow';
import type { Alert, FeedShare, Post } from './model';
import { readPost } from './parse';

/** The data of each message the dashboard acts on, by its type. */
export interface MessageData {
  new_post: Post;
  /** New totals: what is shown of them is fetched. */
  metrics_update: Fields;
  alert: Alert;
  feed: FeedShare;
  /** Ids of posts that were deleted. */
  deleted: string[];
}
export type MessageType = keyof MessageData;
export type Message = { [T in MessageType]: { type: T; data: MessageData[T] } }[MessageType];

function readFeedShare(value: unknown): FeedShare | null {
  const fields = readFields(value);
  const seconds = readNumber(fields?.seconds);
  if (fields === null || typeof fields.sampled !== 'boolean' || seconds === null) return null;
  return {
    isSampled: fields.sampled,
    posts: readCount(fields.posts),
    shown: readCount(fields.shown),
    seconds,
  };
}

function readDeleted(value: unknown): string[] | null {
  const ids = readFields(value)?.post_ids;
  return Array.isArray(ids) && ids.every((id) => typeof id === 'string') ? ids : null;
}

function build<T extends MessageType>(type: T, data: MessageData[T] | null) {
  return data === null ? null : { type, data };
}

function parseJson(raw: unknown): unknown {
  if (typeof raw !== 'string') return null;
  try {
    return JSON.parse(raw);
  } catch {
    return null;
  }
}

/**
 * Reads one WebSocket frame. Null for what needs no action (`connected`, `ping`, types of a later server) and for what
 * is malformed; the latter is noted for whoever debugs, since one bad message is no reason to disturb the page.
 */
export function parseMessage(raw: unknown): Message | null {
  const frame = readFields(parseJson(raw));
  const message = readMessage(frame?.type, frame?.data);
  if (message === 'ignored') return null;
  if (message === null) console.debug('Malformed message ignored', raw);
  return message;
}

function readMessage(type: unknown, data: unknown): Message | 'ignored' | null {
  switch (type) {
    case 'new_post':
      return build('new_post', readPost(data));
    case 'metrics_update':
      return build('metrics_update', readFields(data));
    case 'alert':
      return build('alert', readAlert(data));
    case 'feed':
      return build('feed', readFeedShare(data));
    case 'deleted':
      return build('deleted', readDeleted(data));
    default:
      return typeof type === 'string' ? 'ignored' : null;
  }
}
