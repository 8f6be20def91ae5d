import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { BrowserRouter, Route, Routes } from 'react-router';
import { LiveProvider } from '@/api/live';
import { FeedProvider } from '@/features/feed/FeedProvider';
import { ErrorBoundary } from './ErrorBoundary';
import { NotFoundPage } from './NotFoundPage';
import { PAGES } from './pages';
import { Shell } from './Shell';

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // A server on this same machine answers without a network, whatever the browser says about being online.
      networkMode: 'always',
      retry: 1,
      staleTime: 2_000,
    },
    mutations: { networkMode: 'always' },
  },
});

export function App() {
  return (
    <ErrorBoundary>
      <QueryClientProvider client={queryClient}>
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
      </QueryClientProvider>
    </ErrorBoundary>
  );
}
