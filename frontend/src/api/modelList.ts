import { queryOptions } from '@tanstack/react-query';
import { answer, api } from './client';

/** The models in service; they change when somebody promotes another version. */
export const modelsQuery = queryOptions({
  queryKey: ['models'],
  queryFn: ({ signal }) => answer(api.GET('/api/models', { signal })),
  staleTime: 30_000,
  refetchInterval: 60_000,
});
