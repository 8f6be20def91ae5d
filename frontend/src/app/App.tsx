import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { LiveProvider } from '@/api/live';
import { ErrorBoundary } from './ErrorBoundary';
import { LivePage } from './LivePage';

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // A server on this same machine answers without a network, whatever the browser says about being online.
      networkMode: 'always',
      retry: 1,
      staleTime: 2_000,
    },
  },
});

export function App() {
  return (
    <ErrorBoundary>
      <QueryClientProvider client={queryClient}>
        <LiveProvider>
          <LivePage />
        </LiveProvider>
      </QueryClientProvider>
    </ErrorBoundary>
  );
}
