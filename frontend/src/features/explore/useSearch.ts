import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '@/api/client';
import type { Post, PostPage } from '@/api/schema';
import type { PostsQuery } from './postsQuery';

export const PAGE_POSTS = 50;
/**
 * Where no index finds what is asked for, the API looks at 20,000 posts a request. So many requests in a row that did
 * not fill a page are sent without asking, then somebody has to want it.
 */
export const MAX_SHORT_PAGES = 10;
/** More than anyone reads; the page would grow without end. What is further down is for a closer search, or a file. */
export const MAX_POSTS = 5_000;

export interface Search {
  posts: Post[];
  /** Matching posts: so many, or `isExact` false: at least so many. Undefined: not known yet. */
  total: { posts: number; isExact: boolean } | undefined;
  error: Error | null;
  isLoading: boolean;
  /** `more`: there is more, or may be; `paused`: the same, but somebody should ask for it; `full`: MAX_POSTS are there. */
  end: 'more' | 'paused' | 'full' | 'reached';
  /** Goes on with the next page. */
  loadMore: () => void;
  /** After an error: the same request again. */
  retry: () => void;
  /** What lies below has not been looked at. Null while it is not needed. */
  cursor: string | null;
}

/** The posts of a query, page by page. `searchId`: another one is another search, even for the same filters. */
export function useSearch(query: PostsQuery, searchId: string): Search {
  // Where a person last wanted to go on although little was found.
  const [wanted, setWanted] = useState({ searchId, pages: 0 });
  const asked = useInfiniteQuery({
    queryKey: ['explore', searchId],
    queryFn: ({ signal, pageParam }) => {
      const page = pageParam === null ? {} : { cursor: pageParam };
      const params = { query: { ...query, ...page, limit: PAGE_POSTS } };
      return answer(api.GET('/api/posts', { params, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (last: PostPage) => last.next_cursor,
    // A list that somebody reads does not change by itself, not even when the connection comes back.
    staleTime: 'static',
    gcTime: 60_000,
  });
  const pages = asked.data?.pages ?? [];
  const pagesWanted = wanted.searchId === searchId ? wanted.pages : 0;
  const posts = pages.flatMap((page) => page.posts);
  const cursor = pages.at(-1)?.next_cursor ?? null;
  const isPaused = shortPages(pages.slice(pagesWanted)) >= MAX_SHORT_PAGES;
  return {
    posts,
    total: totalOf(pages, posts.length),
    error: asked.error,
    isLoading: asked.isFetching,
    end:
      cursor === null
        ? 'reached'
        : posts.length >= MAX_POSTS
          ? 'full'
          : isPaused
            ? 'paused'
            : 'more',
    loadMore: () => {
      if (asked.isFetching) return;
      if (isPaused) setWanted({ searchId, pages: pages.length });
      // Asked twice before this is shown, it is fetched once.
      void asked.fetchNextPage({ cancelRefetch: false });
    },
    retry: () => void (pages.length === 0 ? asked.refetch() : asked.fetchNextPage()),
    cursor: isPaused ? cursor : null,
  };
}

/** How many pages at the end were not full: their requests had to give up before they had found enough. */
function shortPages(pages: readonly PostPage[]): number {
  const full = pages.findLastIndex((page) => page.posts.length >= PAGE_POSTS);
  return pages.length - full - 1;
}

function totalOf(pages: readonly PostPage[], found: number): Search['total'] {
  const first = pages[0];
  if (first === undefined) return undefined;
  // Whoever has seen the end has counted.
  if (pages.at(-1)?.next_cursor === null) return { posts: found, isExact: true };
  if (first.total_is_exact) return { posts: Math.max(first.total, found), isExact: true };
  return { posts: Math.max(first.total, found), isExact: false };
}

/** Until when the posts have been searched: when the one below the cursor came. Undefined while that is not known. */
export function useSearchedBackTo(cursor: string | null): number | undefined {
  const { data } = useQuery({
    queryKey: ['explore', 'searched-back-to', cursor],
    queryFn: ({ signal }) => {
      const query = { limit: 1, ...(cursor !== null && { cursor }) };
      return answer(api.GET('/api/posts', { params: { query }, signal }));
    },
    enabled: cursor !== null,
    staleTime: 'static',
  });
  const post = data?.posts[0];
  return post === undefined ? undefined : Date.parse(post.ingested_at);
}
