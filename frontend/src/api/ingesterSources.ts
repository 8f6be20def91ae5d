import { queryOptions } from '@tanstack/react-query';
import { answer, api } from './client';

/** How the sources are doing that ingesters read; asked only while somebody looks. */
export const ingesterSourcesQuery = queryOptions({
  queryKey: ['ingester', 'sources'],
  queryFn: ({ signal }) => answer(api.GET('/api/ingester/sources', { signal })),
  refetchInterval: 3_000,
});

export const switchSource = (name: string, enabled: boolean) =>
  answer(
    api.PATCH('/api/ingester/sources/{name}', { params: { path: { name } }, body: { enabled } }),
  );
