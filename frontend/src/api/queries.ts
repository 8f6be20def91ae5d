import { queryOptions } from '@tanstack/react-query';
import { readList } from '@/lib/read';
import { answer, api } from './client';
import { type Health, type Post, SERVICES } from './model';
import { readPost } from './parse';
import type { Health as HealthRow } from './schema';

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: async ({ signal }) =>
    toHealth(await answer(api.GET('/api/health', { signal }), { alsoFine: [503] })),
  refetchInterval: 10_000,
  // The next poll is the retry: "unreachable" should show at once.
  retry: false,
});

function toHealth({ status, services }: HealthRow): Health {
  const states = SERVICES.map((name) => [name, services[name] === 'connected']);
  return { status, services: Object.fromEntries(states) };
}

/** What the server gives at once, at most. */
export const POSTS_A_PAGE = 100;

export interface PostQuery {
  sentiment?: Post['sentiment'];
  emotion?: string;
  source?: string;
  cursor?: string;
  limit?: number;
}

/** One page of the newest posts, and where the next one begins. */
export async function fetchPosts(
  query: PostQuery,
  { signal, haveData = false }: { signal: AbortSignal; haveData?: boolean },
): Promise<{ posts: Post[]; nextCursor: string | null }> {
  const params = { query: { limit: POSTS_A_PAGE, ...query } };
  const page = await answer(api.GET('/api/posts', { params, signal }), { haveData });
  return { posts: readList(page.posts, readPost) ?? [], nextCursor: page.next_cursor };
}
