import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Post } from '@/api/model';
import { fetchPosts, type PostQuery } from '@/api/queries';
import { type FeedFilter, filterPosts } from './filter';

/** What of the filter the server can look for. */
function serverFilter({ sentiment, emotion, source }: FeedFilter): PostQuery {
  return {
    ...(sentiment !== 'all' && { sentiment }),
    ...(emotion !== null && { emotion }),
    ...(source !== null && { source }),
  };
}

/**
 * The posts that match: of those that are here, and below them earlier ones that the server has, since of what is rare
 * there may be none among the latest.
 */
export function useMatches(posts: readonly Post[], filter: FeedFilter) {
  const query = serverFilter(filter);
  const isNarrowed = Object.keys(query).length > 0;
  const earlier = useQuery({
    queryKey: ['feed', 'matches', query],
    queryFn: async ({ signal }) => (await fetchPosts(query, { signal })).posts,
    enabled: isNarrowed,
    // The latest are here already: it is asked once each time that somebody chooses it.
    staleTime: 0,
    gcTime: 0,
    refetchInterval: ({ state }) => (state.status === 'error' ? 5_000 : false),
  });
  const matches = useMemo(() => {
    if (!isNarrowed || earlier.data === undefined) return filterPosts(posts, filter);
    const here = new Set(posts.map(({ id }) => id));
    return filterPosts([...posts, ...earlier.data.filter(({ id }) => !here.has(id))], filter);
  }, [posts, filter, isNarrowed, earlier.data]);
  return { matches, isSearching: isNarrowed && earlier.isPending };
}
