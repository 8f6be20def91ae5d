// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import { beforeEach, expect, test, vi } from 'vitest';
import type { IngesterSource, Session } from '@/api/schema';
import { sessionQuery } from '@/api/session';
import { SourcesHealth } from './SourcesHealth';
import { formatBehind, formatLimit, viewState } from './sourceState';

const plain = (text: string | null) => (text ?? '').replaceAll('\u00a0', ' ');

const source = (changes: Partial<IngesterSource> = {}): IngesterSource => ({
  name: 'eu/bluesky',
  enabled: true,
  state: 'connected',
  behind_s: 0.4,
  last_post_at: new Date().toISOString(),
  posts: 1_234,
  posts_per_s: 12.34,
  rate_limit_per_minute: 600,
  rejected: {},
  skipped: {},
  gaps: 0,
  errors: 2,
  last_error: 'it answered 502',
  updated_at: new Date().toISOString(),
  ...changes,
});

/** What the server has, whom it refuses, and what it was sent. */
let server: { sources: IngesterSource[]; refuses: boolean; sent: [string, unknown][] };

beforeEach(() => {
  server = {
    sources: [source(), source({ name: 'simulate', last_error: null })],
    refuses: false,
    sent: [],
  };
  vi.stubGlobal('fetch', async (request: Request) => {
    if (request.method === 'GET') return new Response(JSON.stringify({ sources: server.sources }));
    const body = await request.json();
    server.sent.push([new URL(request.url).pathname, body]);
    if (server.refuses) {
      return new Response(JSON.stringify({ detail: 'Redis does not answer.' }), { status: 503 });
    }
    const name = decodeURIComponent(request.url.split('/sources/')[1] ?? '');
    server.sources = server.sources.map((each) =>
      each.name === name ? { ...each, ...body } : each,
    );
    return new Response(JSON.stringify(server.sources[0]));
  });
});

function open(scopes: Session['scopes'] = ['read', 'admin']) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  client.setQueryData(sessionQuery.queryKey, { required: true, name: 'test', scopes });
  render(
    <QueryClientProvider client={client}>
      <SourcesHealth />
    </QueryClientProvider>,
  );
}

const isOn = async (name: string) =>
  (await screen.findByRole<HTMLInputElement>('checkbox', { name: `${name} is on` })).checked;
const press = async (name: string) =>
  fireEvent.click(await screen.findByRole('checkbox', { name: `${name} is on` }));

test('each source has its state and its numbers in a row', async () => {
  open();
  const row = await screen.findByRole('row', { name: /^eu\/bluesky/ });
  expect(within(row).getByRole('rowheader').textContent).toBe('eu/bluesky');
  expect(
    within(row)
      .getAllByRole('cell')
      .map(({ textContent }) => plain(textContent)),
  ).toEqual(['', 'Connected', '<1 s', '12.3 /s', 'now', '2', '600 /min']);
  expect(screen.getByText(/it answered 502/)).toBeTruthy();
  expect(screen.getAllByText(/Last error/)).toHaveLength(1);
});

test('it asks before it switches off, and whoever goes back has changed nothing', async () => {
  open();
  await press('eu/bluesky');
  const dialog = within(await screen.findByRole('dialog', { name: 'Switch eu/bluesky off?' }));
  fireEvent.click(dialog.getByRole('button', { name: 'Cancel' }));
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  expect(server.sent).toEqual([]);
  expect(await isOn('eu/bluesky')).toBe(true);
});

test('the one that was meant is switched off, and on again without a question', async () => {
  open();
  await press('eu/bluesky');
  fireEvent.click(await screen.findByRole('button', { name: 'Switch off' }));
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  expect(await isOn('eu/bluesky')).toBe(false);
  expect(await isOn('simulate')).toBe(true);
  await press('eu/bluesky');
  await waitFor(() => expect(server.sent).toHaveLength(2));
  expect(screen.queryByRole('dialog')).toBeNull();
  const path = '/api/ingester/sources/eu%2Fbluesky';
  expect(server.sent).toEqual([
    [path, { enabled: false }],
    [path, { enabled: true }],
  ]);
  await waitFor(async () => expect(await isOn('eu/bluesky')).toBe(true));
});

test('what could not be switched says why, and stays as it was', async () => {
  server.refuses = true;
  open();
  await press('simulate');
  fireEvent.click(await screen.findByRole('button', { name: 'Switch off' }));
  expect((await screen.findByRole('alert')).textContent).toBe('Redis does not answer.');
  fireEvent.click(screen.getByRole('button', { name: 'Cancel' }));
  await waitFor(() => expect(screen.queryByRole('alert')).toBeNull());
  expect(await isOn('simulate')).toBe(true);
});

test('who may only read is told so and has no switch', async () => {
  open(['read']);
  expect(await screen.findByText(/needs a key with the scope admin/)).toBeTruthy();
  expect(screen.queryByRole('checkbox')).toBeNull();
});

test('nothing is there to switch before an ingester was started', async () => {
  server.sources = [];
  open(['read']);
  expect(await screen.findByText('No sources yet')).toBeTruthy();
  expect(screen.queryByText(/scope admin/)).toBeNull();
});

test('until the ingester has seen the switch it reads as what is about to be', () => {
  const text = (changes: Partial<IngesterSource>) => viewState(source(changes)).text;
  expect(text({ enabled: false })).toBe('Switching off…');
  expect(text({ enabled: false, state: 'off' })).toBe('Off');
  expect(text({ state: 'off' })).toBe('Switching on…');
  // Nobody is there who could obey.
  expect(text({ enabled: false, state: 'gone' })).toBe('Ingester gone');
  expect(text({ enabled: false, state: 'ended' })).toBe('Ended');
});

test('how far behind it is has one unit', () => {
  const seconds = [null, 0, 0.99, 59.9, 60, 3_599, 7_200, 172_800];
  expect(seconds.map((each) => plain(formatBehind(each)))).toEqual([
    '–',
    '<1 s',
    '<1 s',
    '59 s',
    '1 min',
    '59 min',
    '2 h',
    '2 d',
  ]);
  expect([null, 0.5, 6_000].map((each) => plain(formatLimit(each)))).toEqual([
    'none',
    '0.5 /min',
    '6,000 /min',
  ]);
});
