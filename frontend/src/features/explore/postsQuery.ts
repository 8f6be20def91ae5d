import type { operations } from '@/api/schema';
import type { Filters } from './filters';
import { quickRangeMs } from './quickRanges';

type ListQuery = NonNullable<operations['listPosts']['parameters']['query']>;
export type PostsQuery = Omit<ListQuery, 'limit' | 'offset' | 'cursor'>;

/** What to ask the API for: a span that ends now begins at the same time for every page of a search. */
export function postsQuery(filters: Filters, nowMs: number): PostsQuery {
  const fromMs = filters.range === null ? filters.fromMs : nowMs - quickRangeMs(filters.range);
  const query: Record<keyof PostsQuery, string | number | null> = {
    search: filters.search,
    source: filters.source,
    sentiment: filters.sentiment,
    emotion: filters.emotion,
    min_confidence: filters.minConfidence,
    max_confidence: filters.maxConfidence,
    start_date: fromMs === null ? null : new Date(fromMs).toISOString(),
    end_date: filters.toMs === null ? null : new Date(filters.toMs).toISOString(),
  };
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== null));
}

export type ExportFormat = 'csv' | 'json';

export const EXPORT_LIMITS = [1_000, 10_000, 100_000] as const;
export type ExportLimit = (typeof EXPORT_LIMITS)[number];

/** Where the same posts are to be had as a file. */
export function exportUrl(query: PostsQuery, format: ExportFormat, limit: ExportLimit): string {
  const params = new URLSearchParams({ format, limit: String(limit) });
  for (const [name, value] of Object.entries(query)) params.set(name, String(value));
  return `/api/posts/export?${params}`;
}
