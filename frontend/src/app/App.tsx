import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { BrowserRouter, Route, Routes } from 'react-router';
import { isUnauthorized } from '@/api/client';
import { LiveProvider } from '@/api/live';
import { NOBODY, sessionQuery } from '@/api/session';
import { FeedProvider } from '@/features/feed/FeedProvider';
import { SignInGate } from '@/features/session/SignInGate';
import { ErrorBoundary } from './ErrorBoundary';
import { NotFoundPage } from './NotFoundPage';
import { PAGES } from './pages';
import { Shell } from './Shell';

/** A key that was valid may be none any more: then it is asked for again. */
function onError(error: Error): void {
  if (isUnauthorized(error)) queryClient.setQueryData(sessionQuery.queryKey, NOBODY);
}

const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      // A server on this same machine answers without a network, whatever the browser says about being online.
      networkMode: 'always',
      retry: (failures, error) => failures < 1 && !isUnauthorized(error),
      staleTime: 2_000,
    },
    mutations: { networkMode: 'always' },
  },
});

export function App() {
  return (
    <ErrorBoundary>
      <QueryClientProvider client={queryClient}>
        <SignInGate>
          <LiveProvider>
            <FeedProvider>
              <BrowserRouter>
                <Routes>
                  <Route element={<Shell />}>
                    {PAGES.map(({ path, Page }) => (
                      <Route key={path} path={path} element={<Page />} />
                    ))}
                    <Route path="*" element={<NotFoundPage />} />
                  </Route>
                </Routes>
              </BrowserRouter>
            </FeedProvider>
          </LiveProvider>
        </SignInGate>
      </QueryClientProvider>
    </ErrorBoundary>
  );
}
