// @vitest-environment jsdom
import { fireEvent, screen, waitFor } from '@testing-library/react';
import { MemoryRouter } from 'react-router';
import { beforeEach, expect, test, vi } from 'vitest';
import { renderLive } from '@/testing/render';
import { Explore } from './Explore';
import { MAX_SHORT_PAGES } from './useSearch';

const post = (id: string) => ({
  post_id: id,
  source: 'reddit',
  content: `Text of ${id}`,
  author: 'ana',
  created_at: '2026-01-15T12:00:00Z',
  ingested_at: '2026-01-15T12:00:01Z',
  sentiment: {
    label: 'positive',
    confidence: 0.9,
    emotion: 'joy',
    model_name: 'm',
    model_version: 3,
  },
});

const page = (posts: object[], next_cursor: string | null, total = posts.length) => ({
  posts,
  total,
  total_is_exact: next_cursor === null,
  limit: 50,
  offset: 0,
  filters: {},
  next_cursor,
});

/** Answers `/api/posts` with what `read` makes of the query; the other routes cannot be reached. */
function stubPosts(read: (query: URLSearchParams) => object | null) {
  const asked: URLSearchParams[] = [];
  vi.stubGlobal('fetch', async (request: string | Request) => {
    const url = new URL(
      typeof request === 'string' ? request : request.url,
      'http://undertone.test',
    );
    const body = url.pathname === '/api/posts' ? read(url.searchParams) : null;
    if (url.pathname === '/api/posts') asked.push(url.searchParams);
    if (body === null) throw new TypeError('Failed to fetch');
    return new Response(JSON.stringify(body));
  });
  return asked;
}

const open = (path = '/explore') =>
  renderLive(
    <MemoryRouter initialEntries={[path]}>
      <Explore />
    </MemoryRouter>,
  );

beforeEach(() => {
  // jsdom lays nothing out: everything else is as high as the list guesses.
  vi.stubGlobal('scrollTo', () => {});
});

test('a search that finds little goes on by itself, then says how far it came, and goes on when asked', {
  timeout: 30_000,
}, async () => {
  const asked = stubPosts((query) => {
    const cursor = Number(query.get('cursor') ?? 0);
    if (query.get('limit') === '1') return page([post('below')], 'x');
    const isLast = cursor > MAX_SHORT_PAGES;
    return page(isLast ? [post('late')] : [], isLast ? null : String(cursor + 1), 0);
  });
  open('/explore?search=needle');
  const go = await screen.findByText('Continue', undefined, { timeout: 20_000 });
  expect(screen.getByText(/^none so far$/, { selector: '.panel-note' })).toBeTruthy();
  expect(await screen.findByText(/Searched back to 15 Jan.* There are older ones/)).toBeTruthy();
  const searched = () => asked.filter((query) => query.get('limit') === '50');
  expect(searched()).toHaveLength(MAX_SHORT_PAGES);
  expect(searched().every((query) => query.get('search') === 'needle')).toBe(true);
  fireEvent.click(go);
  expect(await screen.findByText(/1\s+post$/, { selector: '.panel-note' })).toBeTruthy();
  expect(searched()).toHaveLength(MAX_SHORT_PAGES + 2);
});

test('an error says so and the request can be made again', async () => {
  let isBroken = true;
  stubPosts(() => (isBroken ? null : page([], null)));
  open();
  expect(await screen.findByText('The server cannot be reached.')).toBeTruthy();
  isBroken = false;
  fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
  expect(await screen.findByText('No posts match')).toBeTruthy();
});

test('a total that is not exact says "at least"', async () => {
  stubPosts((query) =>
    query.has('cursor')
      ? null
      : page(
          Array.from({ length: 50 }, (_, n) => post(`p${n}`)),
          'c',
          1_000,
        ),
  );
  open('/explore?search=text');
  expect(await screen.findByText('at least 1,000 posts', { selector: '.panel-note' })).toBeTruthy();
});

test('parameters that make no sense are told, and not asked for', async () => {
  const asked = stubPosts(() => page([], null));
  open('/explore?sentiment=sad&min_confidence=7&source=reddit');
  expect(await screen.findByText(/sentiment “sad” is ignored/)).toBeTruthy();
  await waitFor(() => expect(asked.length).toBeGreaterThan(0));
  expect(asked[0]?.toString()).toBe('source=reddit&limit=50');
});
