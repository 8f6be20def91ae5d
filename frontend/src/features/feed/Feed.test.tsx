// @vitest-environment jsdom
import { act, fireEvent, screen, within } from '@testing-library/react';
import { MemoryRouter } from 'react-router';
import { beforeEach, expect, test, vi } from 'vitest';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { renderLive, stubApi } from '@/testing/render';
import { newPostMessage } from '@/testing/samples';
import { Feed } from './Feed';
import { FeedProvider } from './FeedProvider';

// jsdom lays nothing out; the list shows what fits into its height.
beforeEach(() => {
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(600);
  vi.spyOn(HTMLElement.prototype, 'offsetHeight', 'get').mockReturnValue(100);
});

const NO_POSTS = { posts: [], next_cursor: null };

const renderFeed = () =>
  renderLive(
    <MemoryRouter>
      <FeedProvider>
        <Feed />
      </FeedProvider>
    </MemoryRouter>,
  );

const receive = (...ids: string[]) =>
  act(() => {
    for (const id of ids) FakeWebSocket.latest.send(newPostMessage(id));
  });

test('says that posts will come while there are none', async () => {
  stubApi({ '/api/posts': NO_POSTS });
  renderFeed();
  expect(await screen.findByText('Posts will appear here as they arrive.')).toBeTruthy();
});

test('shows the posts that arrive, with what was made of them', async () => {
  stubApi({ '/api/posts': NO_POSTS });
  renderFeed();
  act(() => FakeWebSocket.latest.accept());
  receive('p1', 'p2', 'p1');
  const items = await screen.findAllByTestId('feed-item');
  expect(items.map((item) => item.dataset.postId)).toEqual(['p2', 'p1']);
  expect(items[0]?.dataset).toMatchObject({ sentiment: 'negative', emotion: 'anger' });
  const first = within(items[0] as HTMLElement);
  expect(first.getByText('Text of p2')).toBeTruthy();
  expect(first.getByText(/87\s%/).title).toBe('m, version 3');
  expect(first.getByText('reddit')).toBeTruthy();
});

test('holds still while focused, and resumes on request', async () => {
  stubApi({ '/api/posts': { posts: [newPostMessage('seed').data], next_cursor: null } });
  renderFeed();
  await screen.findByTestId('feed-item');
  fireEvent.focus(screen.getByRole('region', { name: 'Newest posts' }));
  receive('p1');
  fireEvent.click(await screen.findByRole('button', { name: /1\s+new post — resume/ }));
  expect(screen.getAllByTestId('feed-item')).toHaveLength(2);
});

test('keeps what it has when the server cannot be reached', async () => {
  stubApi({});
  renderFeed();
  receive('p1');
  expect(await screen.findByText(/The server cannot be reached/)).toBeTruthy();
  expect(await screen.findByTestId('feed-item')).toBeTruthy();
});

const sample = (changes: object = {}) =>
  act(() =>
    FakeWebSocket.latest.send({
      type: 'feed',
      data: { sampled: true, posts: 2468, shown: 400, seconds: 2, ...changes },
    }),
  );

test('says how many of the posts it shows, until it shows all of them', () => {
  stubApi({ '/api/posts': NO_POSTS });
  renderFeed();
  act(() => FakeWebSocket.latest.accept());
  expect(screen.queryByTestId('feed-share')).toBeNull();
  sample();
  expect(screen.getByTestId('feed-share').textContent).toBe(
    'Showing 200 of 1,234 posts a second; counts are exact.',
  );
  sample({ posts: 3000, shown: 1 });
  expect(screen.getByTestId('feed-share').textContent).toMatch(/^Showing 1 of 1,500 posts/);
  sample({ sampled: false });
  expect(screen.queryByTestId('feed-share')).toBeNull();
});

test('announces a sample once, not its changing numbers', () => {
  stubApi({ '/api/posts': NO_POSTS });
  renderFeed();
  act(() => FakeWebSocket.latest.accept());
  const status = screen.getByRole('status');
  expect(status.textContent).toBe('');
  sample();
  const announced = status.textContent;
  expect(announced).toMatch(/sample/);
  sample({ posts: 9999 });
  expect(status.textContent).toBe(announced);
});

test('says nothing of a sample while nothing is heard', () => {
  stubApi({ '/api/posts': NO_POSTS });
  renderFeed();
  act(() => FakeWebSocket.latest.accept());
  sample();
  act(() => FakeWebSocket.latest.break());
  expect(screen.queryByTestId('feed-share')).toBeNull();
});
