import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError, answer, api } from '@/api/client';
import type { AnalyzeAnswer } from '@/api/schema';
import { request } from './request';

export interface Try {
  id: number;
  texts: readonly string[];
  answer: AnalyzeAnswer;
  /** From the key to the answer, the way there and back included. */
  roundTripMs: number;
}

/** In the memory of the page, for comparing; the oldest give way. */
export const MAX_TRIES = 10;

export interface Failure {
  title: string;
  text: string;
}

export interface Analysis {
  /** Newest first. */
  tries: readonly Try[];
  failure: Failure | null;
  isAsking: boolean;
  ask: (texts: readonly string[]) => void;
  forget: () => void;
}

/** Asks both models. What comes back is kept while this page is open, and nowhere else. */
export function useAnalysis(): Analysis {
  const [tries, setTries] = useState<readonly Try[]>([]);
  const asking = useMutation({
    mutationFn: async (texts: readonly string[]) => {
      const begun = performance.now();
      const answered = await answer(api.POST('/api/analyze', { body: request(texts) }));
      return { texts, answer: answered, roundTripMs: performance.now() - begun };
    },
    onSuccess: (done) => setTries((before) => withNewest(before, done)),
  });
  return {
    tries,
    failure: asking.error === null ? null : failureOf(asking.error),
    isAsking: asking.isPending,
    ask: asking.mutate,
    forget: () => {
      setTries([]);
      asking.reset();
    },
  };
}

export function withNewest(tries: readonly Try[], done: Omit<Try, 'id'>): readonly Try[] {
  const id = (tries[0]?.id ?? 0) + 1;
  return [{ ...done, id }, ...tries].slice(0, MAX_TRIES);
}

/** What went wrong, and what to do about it. */
export function failureOf(error: Error): Failure {
  switch (error instanceof ApiError ? error.status : null) {
    case 413:
      return { title: 'This is too much text', text: `${error.message} Try less of it.` };
    case 422:
      return { title: 'This text was refused', text: error.message };
    case 429:
      return { title: 'The models are busy', text: error.message };
    case 503:
      return { title: 'The models do not answer', text: error.message };
    default:
      return { title: 'No answer', text: error.message };
  }
}
