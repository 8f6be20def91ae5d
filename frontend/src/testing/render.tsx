import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import type { ReactNode } from 'react';
import { vi } from 'vitest';
import { LiveProvider } from '@/api/live';
import { FakeWebSocket } from './FakeWebSocket';

/** Answers by path; a path that is not there fails like a server that cannot be reached. */
export function stubApi(bodies: Record<string, unknown>): void {
  vi.stubGlobal('fetch', async (asked: string | Request) => {
    const url = typeof asked === 'string' ? asked : asked.url;
    const body = bodies[new URL(url, 'http://undertone.test').pathname];
    if (body === undefined) throw new TypeError('Failed to fetch');
    return new Response(JSON.stringify(body));
  });
}

/** Renders below the providers of the app, with a fake connection and no retries. */
export function renderLive(children: ReactNode) {
  FakeWebSocket.opened = [];
  vi.stubGlobal('WebSocket', FakeWebSocket);
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return render(
    <QueryClientProvider client={client}>
      <LiveProvider>{children}</LiveProvider>
    </QueryClientProvider>,
  );
}
