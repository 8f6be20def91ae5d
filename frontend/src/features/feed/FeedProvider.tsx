import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from 'react';
import { useLiveMessage, useOnConnected } from '@/api/live';
import type { Post } from '@/api/model';
import { fetchPosts } from '@/api/queries';
import { FEED_LIMIT, FeedStore } from './feedStore';
import { PaintTimes } from './paintTimes';

interface LiveFeed {
  store: FeedStore;
  times: PaintTimes;
  query: Pick<UseQueryResult<Post[]>, 'error' | 'isPending'>;
}

const FeedContext = createContext<LiveFeed | null>(null);

/** The newest posts, page by page until one that is known: a gap is then closed, however long it was. */
async function fetchMissed(store: FeedStore, signal: AbortSignal, haveData: boolean) {
  const posts: Post[] = [];
  let cursor: string | null = null;
  do {
    const page = await fetchPosts(cursor === null ? {} : { cursor }, { signal, haveData });
    posts.push(...page.posts);
    cursor = page.nextCursor;
    // At the start there is no gap: the newest page is enough.
    if (!haveData || page.posts.some(({ id }) => store.hadBeforeGap(id))) break;
  } while (cursor !== null && posts.length < FEED_LIMIT);
  return posts;
}

/** Holds the feed's posts for all pages: whoever comes back to the feed finds them, and what arrived meanwhile. */
export function FeedProvider({ children }: { children: ReactNode }) {
  const [{ store, times }] = useState(() => {
    const paintTimes = new PaintTimes();
    return { times: paintTimes, store: new FeedStore(paintTimes.record) };
  });
  const query = useQuery({
    queryKey: ['feed'],
    queryFn: ({ signal, client, queryKey }) =>
      fetchMissed(store, signal, client.getQueryData(queryKey) !== undefined),
    // The WebSocket brings the rest; each connection that is made asks again.
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: ({ state }) => (state.status === 'error' ? 5_000 : false),
  });

  useOnConnected(() => store.markGap());
  useLiveMessage('new_post', (post) => store.add(post));
  useLiveMessage('deleted', (ids) => store.remove(ids));
  useEffect(() => {
    if (query.data !== undefined) store.fillGap(query.data);
  }, [query.data, store]);

  const { error, isPending } = query;
  const feed = useMemo(
    () => ({ store, times, query: { error, isPending } as LiveFeed['query'] }),
    [store, times, error, isPending],
  );
  return <FeedContext value={feed}>{children}</FeedContext>;
}

export function useFeed(): LiveFeed {
  const feed = use(FeedContext);
  if (feed === null) throw new Error('FeedProvider is missing above this component');
  return feed;
}
