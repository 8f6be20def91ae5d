import { queryOptions, useQuery } from '@tanstack/react-query';
import { answer, api } from './client';
import type { Session } from './schema';

/** Whether keys are asked for, and what ours may do. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => answer(api.GET('/api/session', { signal })),
  // Any request that is refused says that it has ended.
  staleTime: Number.POSITIVE_INFINITY,
  retry: false,
});

/** What holds as soon as a request was refused for want of a key. */
export const NOBODY: Session = { required: true, name: null, scopes: [] };

export const isSignedOut = (session: Session | undefined): boolean =>
  session?.required === true && session.name === null;

export const signIn = (key: string) => answer(api.POST('/api/session', { body: { key } }));

export const signOut = () => answer(api.DELETE('/api/session'));

/** The session, as far as it is known already. */
export const useSession = (): Session | undefined =>
  useQuery({ ...sessionQuery, enabled: false }).data;

/** Whether we may change things. Until it is known we try: the server decides in any case. */
export function useMayChange(): boolean {
  const session = useSession();
  return session === undefined || session.scopes.includes('admin');
}
