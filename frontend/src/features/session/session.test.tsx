// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, fireEvent, render, screen } from '@testing-library/react';
import { beforeEach, expect, test, vi } from 'vitest';
import { NOBODY, sessionQuery } from '@/api/session';
import { SignInGate } from './SignInGate';
import { SignOut } from './SignOut';

const READER = { required: true, name: 'reader', scopes: ['read' as const] };
const EVERYBODY = { required: false, name: null, scopes: ['read', 'ingest', 'admin'] as const };

/** What the server says to GET and to POST: a session, or a status and why. */
interface Server {
  session: object | null;
  signIn: object | { status: number; detail: string };
  sent: unknown[];
}

let server: Server;
let client: QueryClient;

beforeEach(() => {
  server = { session: NOBODY, signIn: READER, sent: [] };
  client = new QueryClient();
  vi.stubGlobal('fetch', async (request: Request) => {
    if (request.method === 'GET') {
      if (server.session === null) throw new TypeError('Failed to fetch');
      return new Response(JSON.stringify(server.session));
    }
    server.sent.push(await request.json());
    const status = 'status' in server.signIn ? server.signIn.status : 200;
    return new Response(JSON.stringify(server.signIn), { status });
  });
});

function open() {
  return render(
    <QueryClientProvider client={client}>
      <SignInGate>
        <p>The page</p>
        <SignOut />
      </SignInGate>
    </QueryClientProvider>,
  );
}

async function enter(key: string): Promise<HTMLInputElement> {
  const input = await screen.findByLabelText<HTMLInputElement>('API key');
  fireEvent.change(input, { target: { value: key } });
  fireEvent.click(screen.getByRole('button', { name: 'Sign in' }));
  return input;
}

test('where no keys are asked for the page opens, and there is nothing to sign out of', async () => {
  server.session = EVERYBODY;
  open();
  expect(await screen.findByText('The page')).toBeTruthy();
  expect(screen.queryByRole('button', { name: 'Sign out' })).toBeNull();
});

test('without an answer the page opens and says itself that nobody answers', async () => {
  server.session = null;
  open();
  expect(await screen.findByText('The page')).toBeTruthy();
});

test('nothing of the page is there before the key', async () => {
  open();
  const input = await enter(' ut_key \n');
  expect(input.type).toBe('password');
  expect(input.autocomplete).toBe('current-password');
  expect(await screen.findByText('The page')).toBeTruthy();
  expect(server.sent).toEqual([{ key: 'ut_key' }]);
  expect(screen.getByRole('button', { name: 'Sign out' }).title).toContain('reader');
});

test('a key that is none is said at the field, which has the focus again', async () => {
  server.signIn = { status: 401, detail: 'There is no such API key (any more).' };
  open();
  const input = await enter('ut_wrong');
  expect(await screen.findByText('There is no such API key (any more).')).toBeTruthy();
  expect(input.getAttribute('aria-invalid')).toBe('true');
  expect(document.activeElement).toBe(input);
  expect(screen.queryByText('The page')).toBeNull();
});

test('a key that has ended leads back, with a sentence, and the page goes on after it', async () => {
  server.session = READER;
  open();
  await screen.findByText('The page');
  act(() => {
    client.setQueryData(sessionQuery.queryKey, NOBODY);
  });
  expect(await screen.findByText(/no longer valid/)).toBeTruthy();
  expect(screen.queryByText('The page')).toBeNull();
  await enter('ut_new');
  expect(await screen.findByText('The page')).toBeTruthy();
});

test('who comes first is told nothing of an end', async () => {
  open();
  await screen.findByLabelText('API key');
  expect(screen.queryByText(/no longer valid/)).toBeNull();
});
