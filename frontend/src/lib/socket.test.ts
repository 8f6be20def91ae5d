// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { LONGEST_DELAY_MS } from './backoff';
import { type ConnectionState, ReconnectingSocket, SILENCE_LIMIT_MS } from './socket';

let states: ConnectionState[];
let messages: unknown[];
let socket: ReconnectingSocket;

const lastKind = () => states.at(-1)?.kind;

beforeEach(() => {
  vi.useFakeTimers();
  FakeWebSocket.opened = [];
  vi.stubGlobal('WebSocket', FakeWebSocket);
  states = [];
  messages = [];
  socket = new ReconnectingSocket({
    url: 'ws://undertone.test/ws/sentiment',
    onMessage: (raw) => messages.push(raw),
    onState: (state) => states.push(state),
  });
  socket.start();
});

afterEach(() => {
  socket.stop();
  vi.useRealTimers();
});

test('connects and hands on messages', () => {
  expect(lastKind()).toBe('connecting');
  FakeWebSocket.latest.accept();
  FakeWebSocket.latest.send({ type: 'ping' });
  expect(lastKind()).toBe('connected');
  expect(messages).toEqual(['{"type":"ping"}']);
});

test('reconnects after a break, and says when', () => {
  FakeWebSocket.latest.accept();
  FakeWebSocket.latest.break();
  const state = states.at(-1);
  expect(state).toMatchObject({ kind: 'reconnecting' });
  expect(state?.kind === 'reconnecting' && (state.retryAtMs ?? 0) > Date.now()).toBe(true);
  vi.advanceTimersByTime(500);
  expect(FakeWebSocket.opened).toHaveLength(2);
  FakeWebSocket.latest.accept();
  expect(lastKind()).toBe('connected');
});

test('keeps trying for as long as it takes, at most one attempt at a time', () => {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    FakeWebSocket.latest.break();
    vi.advanceTimersByTime(LONGEST_DELAY_MS);
  }
  expect(FakeWebSocket.opened).toHaveLength(21);
});

test('gives up a connection that has fallen silent', () => {
  const first = FakeWebSocket.latest;
  first.accept();
  vi.advanceTimersByTime(SILENCE_LIMIT_MS - 1);
  first.send({ type: 'ping' });
  vi.advanceTimersByTime(SILENCE_LIMIT_MS - 1);
  expect(lastKind()).toBe('connected');
  vi.advanceTimersByTime(1);
  expect(lastKind()).toBe('reconnecting');
  expect(first.isClosed).toBe(true);
});

test('a server that accepts and breaks at once is not hammered', () => {
  for (let attempt = 0; attempt < 6; attempt += 1) {
    FakeWebSocket.latest.accept();
    FakeWebSocket.latest.break();
    vi.advanceTimersByTime(LONGEST_DELAY_MS);
  }
  FakeWebSocket.latest.break();
  const state = states.at(-1);
  const waitMs = state?.kind === 'reconnecting' ? (state.retryAtMs ?? 0) - Date.now() : 0;
  expect(waitMs).toBeGreaterThanOrEqual(LONGEST_DELAY_MS / 2);
});

test('tries at once when the network is back', () => {
  FakeWebSocket.latest.accept();
  FakeWebSocket.latest.break();
  window.dispatchEvent(new Event('online'));
  expect(FakeWebSocket.opened).toHaveLength(2);
});

test('says offline while the browser is', () => {
  vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
  window.dispatchEvent(new Event('offline'));
  expect(lastKind()).toBe('offline');
});

test('nothing happens after stop', () => {
  const { latest } = FakeWebSocket;
  socket.stop();
  latest.break();
  vi.advanceTimersByTime(2 * SILENCE_LIMIT_MS);
  expect(FakeWebSocket.opened).toHaveLength(1);
});
