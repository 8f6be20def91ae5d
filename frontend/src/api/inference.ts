import { queryOptions } from '@tanstack/react-query';
import { answer, api } from './client';

/** As often as the server looks itself. */
const EVERY_MS = 5_000;

/** What Triton counts and how posts come through; asked only while somebody looks. */
export const inferenceQuery = (minutes: number) =>
  queryOptions({
    queryKey: ['inference', minutes],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/inference', { params: { query: { minutes } }, signal })),
    refetchInterval: EVERY_MS,
    // A page in the background asks for nothing.
    refetchIntervalInBackground: false,
  });
