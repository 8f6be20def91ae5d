import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { ApiError } from '@/api/client';
import type { Sentiment } from '@/api/model';

/** A word that more posts have than before. */
export interface RisingWord {
  word: string;
  kind: 'word' | 'hashtag';
  posts: number;
  share_percent: number;
  previous_share_percent: number;
  is_new: boolean;
  sentiment: Record<Sentiment, number>;
}

export type WordKind = 'all' | 'words' | 'hashtags';

interface RisingWords {
  minutes: number;
  sampled: { current: number; previous: number; share: number };
  words: RisingWord[];
}

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
    queryFn: async ({ signal }): Promise<RisingWords> => {
      const query = new URLSearchParams({ minutes: String(minutes), kind, limit: String(LIMIT) });
      if (source !== null) query.set('source', source);
      if (sentiment !== null) query.set('sentiment', sentiment);
      const response = await fetch(`/api/words/rising?${query}`, { signal });
      if (!response.ok)
        throw new ApiError(`The server answered with an error (${response.status}).`);
      return response.json();
    },
    placeholderData: keepPreviousData,
    // Words are counted in samples of the posts: no need to hurry.
    refetchInterval: 15_000,
  });
