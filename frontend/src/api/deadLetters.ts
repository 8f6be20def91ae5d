import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { answer, api } from './client';

export const LETTERS_KEY = ['dead-letters'] as const;
const PAGE_SIZE = 20;

/** The newest letters, of one reason or of all; `null` for no reason in particular. */
export const lettersQuery = (reason: string | null) =>
  infiniteQueryOptions({
    queryKey: [...LETTERS_KEY, 'list', reason],
    queryFn: ({ signal, pageParam }) => {
      const query = {
        limit: PAGE_SIZE,
        ...(reason !== null && { reason }),
        ...(pageParam !== null && { cursor: pageParam }),
      };
      return answer(api.GET('/api/dead-letters', { params: { query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next_cursor }) => next_cursor,
    refetchInterval: 10_000,
  });

export const letterQuery = (id: string) =>
  queryOptions({
    queryKey: [...LETTERS_KEY, 'one', id],
    queryFn: ({ signal }) => {
      const params = { path: { letter_id: id } };
      return answer(api.GET('/api/dead-letters/{letter_id}', { params, signal }));
    },
    retry: false,
  });

/** Which letters: one, or those of a reason, or all. */
export type LetterChoice = { ids: string[] } | { reason: string } | { all: true };

/** What became of them. */
export interface LetterOutcome {
  done: number;
  /** Letters that stay, with the reason of the first. */
  skipped: number;
  obstacle: string | null;
}

type Body = LetterChoice & { cursor?: string };

/** Repeats while the server says that more remain: it takes a bounded number at a time. */
async function repeated(
  choice: LetterChoice,
  ask: (body: Body) => Promise<LetterOutcome & { cursor: string | null }>,
): Promise<LetterOutcome> {
  const sum: LetterOutcome = { done: 0, skipped: 0, obstacle: null };
  let body: Body | null = choice;
  while (body !== null) {
    const { done, skipped, obstacle, cursor } = await ask(body);
    sum.done += done;
    sum.skipped += skipped;
    sum.obstacle ??= obstacle;
    body = cursor === null ? null : { ...choice, cursor };
  }
  return sum;
}

export const replayLetters = (choice: LetterChoice) =>
  repeated(choice, async (body) => {
    const part = await answer(api.POST('/api/dead-letters/replay', { body }));
    return {
      done: part.replayed,
      skipped: part.skipped.length,
      obstacle: part.skipped[0]?.obstacle ?? null,
      cursor: part.next_cursor,
    };
  });

export const dropLetters = (choice: LetterChoice) =>
  repeated(choice, async (body) => {
    const part = await answer(api.POST('/api/dead-letters/drop', { body }));
    return { done: part.dropped, skipped: 0, obstacle: null, cursor: part.next_cursor };
  });
