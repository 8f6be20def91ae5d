import { type QueryFunctionContext, queryOptions } from '@tanstack/react-query';
import { getJson } from './http';
import { readAggregate, readDistribution, readHealth, readPostPage } from './parse';

const SEED_POSTS = 50;

/** What changes with every post; refetched whenever the server reports new totals. */
export const TOTALS_KEY = ['totals'] as const;

const haveData = ({ client, queryKey }: QueryFunctionContext) =>
  client.getQueryData(queryKey) !== undefined;

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: ({ signal }) =>
    getJson('/api/health', { read: readHealth, signal, acceptErrorBody: true }),
  refetchInterval: 10_000,
  // The next poll is the retry: "unreachable" should show at once.
  retry: false,
});

/** Only the start of the feed and what closes its gaps; the WebSocket brings the rest. */
export const postsQuery = queryOptions({
  queryKey: ['posts'],
  queryFn: (context) =>
    getJson('/api/posts', {
      read: readPostPage,
      signal: context.signal,
      params: { limit: String(SEED_POSTS) },
      haveData: haveData(context),
    }),
  staleTime: Number.POSITIVE_INFINITY,
  refetchInterval: ({ state }) => (state.status === 'error' ? 5_000 : false),
});

export const distributionQuery = (hours: number) =>
  queryOptions({
    queryKey: [...TOTALS_KEY, 'distribution', hours],
    queryFn: (context) =>
      getJson('/api/sentiment/distribution', {
        read: readDistribution,
        signal: context.signal,
        haveData: haveData(context),
        params: { hours: String(hours) },
      }),
    refetchInterval: 15_000,
  });

export interface AggregateRange {
  id: string;
  period: 'minute' | 'hour';
  refetchMs: number;
  /** Called for each request; the moving start must not be a part of the cache key. */
  startMs: () => number;
}

export const aggregateQuery = (range: AggregateRange) =>
  queryOptions({
    queryKey: [...TOTALS_KEY, 'aggregate', range.id],
    queryFn: (context) =>
      getJson('/api/sentiment/aggregate', {
        read: readAggregate,
        signal: context.signal,
        haveData: haveData(context),
        params: { period: range.period, start_date: new Date(range.startMs()).toISOString() },
      }),
    refetchInterval: range.refetchMs,
  });
