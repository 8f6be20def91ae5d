import { queryOptions } from '@tanstack/react-query';
import { ApiError, answer, api } from '@/api/client';

const AGAIN_MS = 5_000;
/** The last steps of a post that has just come are told a moment after it can be seen. */
const FRESH_AGAIN_MS = 1_000;
const FRESH_TRIES = 5;

export const journeyQuery = (postId: string) =>
  queryOptions({
    queryKey: ['journey', postId],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/posts/journey', { params: { query: { post_id: postId } }, signal })),
    // Who asks for what is not there is told so at once.
    retry: false,
    refetchInterval: ({ state }) => {
      if (state.error !== null) return isFinal(state.error) ? false : AGAIN_MS;
      const isWhole = state.data?.steps.every(({ at }) => at !== null) ?? true;
      return isWhole || state.dataUpdateCount > FRESH_TRIES ? false : FRESH_AGAIN_MS;
    },
  });

/** There is no such post, or the id is none: asking again changes nothing. */
export const isFinal = (error: Error): boolean =>
  error instanceof ApiError && (error.status === 404 || error.status === 422);
