import { keepPreviousData, type QueryFunctionContext, queryOptions } from '@tanstack/react-query';
import { type Buckets, firstBucketMs } from '@/lib/timeRange';
import { answer, api } from './client';
import type { Bucket } from './model';
import type { EmotionBucket } from './schema';

/** What changes with every post; fetched again whenever the server reports new totals. */
export const TOTALS_KEY = ['totals'] as const;

export const haveData = ({ client, queryKey }: QueryFunctionContext) =>
  client.getQueryData(queryKey) !== undefined;

const ofSource = (source: string | null) => (source === null ? {} : { source });

export const totalsQuery = (minutes: number, source: string | null) =>
  queryOptions({
    queryKey: [...TOTALS_KEY, 'sums', minutes, source],
    queryFn: (context) =>
      answer(
        api.GET('/api/sentiment/totals', {
          params: { query: { minutes, ...ofSource(source) } },
          signal: context.signal,
        }),
        { haveData: haveData(context) },
      ),
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  });

export const sourcesQuery = (minutes: number) =>
  queryOptions({
    queryKey: [...TOTALS_KEY, 'sources', minutes],
    queryFn: (context) =>
      answer(api.GET('/api/sources', { params: { query: { minutes } }, signal: context.signal }), {
        haveData: haveData(context),
      }),
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  });

/** What moves on is asked for without its end: those answers the server keeps for all who ask. */
function timesOf(buckets: Buckets) {
  const firstMs = firstBucketMs(buckets, Date.now());
  const start_date = new Date(firstMs).toISOString();
  if (buckets.fixedMs === null) return { period: buckets.period, start_date };
  const endMs = firstMs + buckets.count * buckets.stepMs;
  return { period: buckets.period, start_date, end_date: new Date(endMs).toISOString() };
}

const keyOf = ({ period, count, fixedMs }: Buckets) => [period, count, fixedMs];
const refetchMs = ({ period }: Buckets) => (period === 'minute' ? 5_000 : 30_000);

/** With the buckets that were asked for: while others are on their way, the answer to the last question stays. */
export const sentimentQuery = (buckets: Buckets, source: string | null) =>
  queryOptions({
    queryKey: [...TOTALS_KEY, 'sentiment', ...keyOf(buckets), source],
    queryFn: async (context) => {
      const { data } = await answer(
        api.GET('/api/sentiment/aggregate', {
          params: { query: { ...timesOf(buckets), ...ofSource(source) } },
          signal: context.signal,
        }),
        { haveData: haveData(context) },
      );
      const rows = data.map(
        (row): Bucket => ({
          startMs: Date.parse(row.timestamp),
          positive: row.positive_count,
          neutral: row.neutral_count,
          negative: row.negative_count,
          total: row.total_count,
        }),
      );
      return { buckets, rows };
    },
    placeholderData: keepPreviousData,
    refetchInterval: refetchMs(buckets),
  });

export interface EmotionRow {
  startMs: number;
  /** In the order of the emotions. */
  counts: number[];
  total: number;
}

export const emotionsQuery = (buckets: Buckets, source: string | null) =>
  queryOptions({
    queryKey: [...TOTALS_KEY, 'emotions', ...keyOf(buckets), source],
    queryFn: async (context) => {
      const { emotions, data } = await answer(
        api.GET('/api/emotions/aggregate', {
          params: { query: { ...timesOf(buckets), ...ofSource(source) } },
          signal: context.signal,
        }),
        { haveData: haveData(context) },
      );
      return { buckets, emotions, rows: data.map(emotionRow) };
    },
    placeholderData: keepPreviousData,
    refetchInterval: refetchMs(buckets),
  });

const emotionRow = ({ timestamp, counts, total }: EmotionBucket): EmotionRow => ({
  startMs: Date.parse(timestamp),
  counts,
  total,
});
