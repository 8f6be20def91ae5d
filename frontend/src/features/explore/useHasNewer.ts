import { useState } from 'react';
import { useLiveMessage } from '@/api/live';
import type { Post } from '@/api/model';
import type { Filters } from './filters';

/** Whether a post that matches has arrived since the search. The live feed may be a sample: nobody knows how many. */
export function useHasNewer(filters: Filters, searchId: string): boolean {
  const [newerThan, setNewerThan] = useState<string | null>(null);
  useLiveMessage('new_post', (post) => {
    if (matches(post, filters)) setNewerThan(searchId);
  });
  return newerThan === searchId;
}

export function matches(post: Post, filters: Filters): boolean {
  const { search, source, sentiment, emotion, minConfidence, maxConfidence, fromMs, toMs } =
    filters;
  return (
    (search === null || post.content.toLowerCase().includes(search.toLowerCase())) &&
    (source === null || post.source === source) &&
    (sentiment === null || post.sentiment === sentiment) &&
    (emotion === null || post.emotion === emotion.toLowerCase()) &&
    (minConfidence === null || post.confidence >= minConfidence) &&
    (maxConfidence === null || post.confidence <= maxConfidence) &&
    (fromMs === null || post.createdAtMs >= fromMs) &&
    (toMs === null || post.createdAtMs < toMs)
  );
}
