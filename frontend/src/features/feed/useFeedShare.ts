import { useEffect, useState } from 'react';
import { useConnection, useLiveMessage } from '@/api/live';
import type { FeedShare } from '@/api/model';

/** Which share of the posts the feed has now; null while it has all of them, or while nothing is heard. */
export function useFeedShare(): FeedShare | null {
  const [share, setShare] = useState<FeedShare | null>(null);
  const { kind } = useConnection();

  useLiveMessage('feed', (next) => setShare(next.isSampled ? next : null));
  // Whoever answers next time says it anew.
  useEffect(() => {
    if (kind !== 'connected') setShare(null);
  }, [kind]);

  return share;
}
