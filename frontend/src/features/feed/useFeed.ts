import { useQuery } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useLiveMessage, useOnConnected } from '@/api/live';
import { postsQuery } from '@/api/queries';
import { FeedStore } from './feedStore';

/** The feed's posts, started and mended from REST and kept going by the WebSocket. */
export function useFeed() {
  const [store] = useState(() => new FeedStore());
  const query = useQuery(postsQuery);
  const view = useSyncExternalStore(store.subscribe, store.get);

  useOnConnected(() => store.markGap());
  useLiveMessage('new_post', (post) => store.add(post));
  useEffect(() => {
    if (query.data !== undefined) store.fillGap(query.data);
  }, [query.data, store]);

  return { store, view, query };
}
