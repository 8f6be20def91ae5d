// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { samplePost } from '@/testing/samples';
import { FEED_LIMIT, FeedStore } from './feedStore';

let store: FeedStore;
const paint = () => vi.advanceTimersByTime(1_000);
const shown = () => store.get().posts.map(({ id }) => id);
const add = (...ids: string[]) => {
  for (const id of ids) store.add(samplePost(id));
};

beforeEach(() => {
  vi.useFakeTimers();
  store = new FeedStore();
});

afterEach(() => {
  vi.useRealTimers();
});

test('shows the newest first, each once', () => {
  add('a', 'b', 'a');
  paint();
  expect(shown()).toEqual(['b', 'a']);
});

test('a burst is published once', () => {
  const listener = vi.fn();
  store.subscribe(listener);
  add(...Array.from({ length: 50 }, (_, index) => `p${index}`));
  expect(listener).not.toHaveBeenCalled();
  paint();
  expect(listener).toHaveBeenCalledOnce();
});

test('keeps no more than the limit', () => {
  add(...Array.from({ length: FEED_LIMIT + 30 }, (_, index) => `p${index}`));
  paint();
  expect(shown()).toHaveLength(FEED_LIMIT);
  expect(shown()[0]).toBe(`p${FEED_LIMIT + 29}`);
});

test('holds still while paused, counts, and catches up', () => {
  add('a');
  paint();
  store.pause('pointer');
  add('b', 'c');
  paint();
  expect(store.get()).toMatchObject({ isPaused: true, isStopped: false, heldBack: 2 });
  expect(shown()).toEqual(['a']);
  store.resume();
  expect(store.get()).toMatchObject({ isPaused: false, heldBack: 0 });
  expect(shown()).toEqual(['c', 'b', 'a']);
});

test('a post that is deleted goes, from a view that is paused as well, and does not come later', () => {
  add('a', 'b');
  paint();
  store.pause('button');
  add('c', 'd');
  store.remove(['a', 'c', 'later']);
  paint();
  expect(shown()).toEqual(['b']);
  expect(store.get().heldBack).toBe(1);
  store.resume();
  add('later', 'a', 'e');
  store.fillGap([samplePost('later'), samplePost('f')]);
  paint();
  expect(shown().sort()).toEqual(['b', 'd', 'e', 'f']);
});

test('stays paused until every reason is gone', () => {
  store.pause('pointer');
  store.pause('button');
  store.unpause('pointer');
  paint();
  expect(store.get()).toMatchObject({ isPaused: true, isStopped: true });
  store.unpause('button');
  paint();
  expect(store.get().isPaused).toBe(false);
});

test('what was missed goes between what came before the gap and what came after it', () => {
  add('old1', 'old2');
  store.markGap();
  add('live1', 'live2');
  store.fillGap(['live1', 'missed2', 'missed1', 'old2'].map((id) => samplePost(id)));
  paint();
  expect(shown()).toEqual(['live2', 'live1', 'missed2', 'missed1', 'old2', 'old1']);
});

test('the first answer goes below what was already live', () => {
  add('live');
  store.fillGap([samplePost('live'), samplePost('earlier')]);
  paint();
  expect(shown()).toEqual(['live', 'earlier']);
});

test('tells what has been painted, and of nothing that was held back', async () => {
  const painted = vi.fn();
  store = new FeedStore(painted);
  store.subscribe(() => {});
  add('a');
  paint();
  store.pause('pointer');
  add('b');
  paint();
  vi.useRealTimers();
  await vi.waitFor(() => expect(painted).toHaveBeenCalledOnce());
  expect(painted.mock.calls[0]?.[0]).toMatchObject([{ post: { id: 'a' } }]);
});

test('posts that come a few at a time are newcomers, a rush has none', () => {
  add('a', 'b');
  paint();
  expect(store.get().newcomers).toBe(2);
  add(...Array.from({ length: 40 }, (_, index) => `p${index}`));
  paint();
  expect(store.get().newcomers).toBe(0);
});

test('knows what it had before the gap, and what came after it not', () => {
  add('old');
  store.markGap();
  add('new');
  expect(store.hadBeforeGap('old')).toBe(true);
  expect(store.hadBeforeGap('new')).toBe(false);
});
