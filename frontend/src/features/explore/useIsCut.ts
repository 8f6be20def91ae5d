import { useQuery } from '@tanstack/react-query';
import { type ExportLimit, exportUrl, type PostsQuery } from './postsQuery';

/** Whether more posts match than a file would have. */
export type Cut = 'yes' | 'no' | 'unknown';

const HEADER = 'x-undertone-cut';

/** Asks for the head of the file, which says so; a link that downloads could not show it. */
export function useIsCut(query: PostsQuery, limit: ExportLimit): Cut {
  const url = exportUrl(query, 'csv', limit);
  const { data } = useQuery({
    queryKey: ['explore', 'cut', url],
    queryFn: async ({ signal }) => {
      const said = (await fetch(url, { method: 'HEAD', signal })).headers.get(HEADER);
      return said === 'yes' || said === 'no' ? said : 'unknown';
    },
    staleTime: 10_000,
  });
  return data ?? 'unknown';
}
