import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { answer, api } from '@/api/client';
import type { Sentiment } from '@/api/model';

export type WordKind = 'all' | 'words' | 'hashtags';

interface Asked {
  minutes: number;
  source: string | null;
  kind: WordKind;
  sentiment: Sentiment | null;
}

const LIMIT = 12;

export const risingQuery = ({ minutes, source, kind, sentiment }: Asked) =>
  queryOptions({
    queryKey: ['words', minutes, source, kind, sentiment],
    queryFn: ({ signal }) => {
      const query = {
        minutes,
        kind,
        limit: LIMIT,
        ...(source !== null && { source }),
        ...(sentiment !== null && { sentiment }),
      };
      return answer(api.GET('/api/words/rising', { params: { query }, signal }));
    },
    placeholderData: keepPreviousData,
    // Words are counted in samples of the posts: no need to hurry.
    refetchInterval: 15_000,
  });
