// @vitest-environment jsdom
import { act, screen } from '@testing-library/react';
import { MemoryRouter } from 'react-router';
import { expect, test } from 'vitest';
import type { HistoryPoint, InferenceStatistics } from '@/api/schema';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { renderLive } from '@/testing/render';
import { newPostMessage } from '@/testing/samples';
import { chartData, HISTORY_CHARTS, summarizeHistory } from './charts';
import { HardwarePanel } from './HardwarePanel';
import { LatencyPanel } from './LatencyPanel';
import { arrivalRate, stages } from './stages';

const plain = (text: string | null | undefined) => (text ?? '').replaceAll('\u00a0', ' ');

const point = (second: number, changes: Partial<HistoryPoint> = {}): HistoryPoint => ({
  at: new Date(Date.UTC(2026, 0, 15, 12, 0, second)).toISOString(),
  posts_per_s: 4,
  inferences_per_s: 8,
  mean_batch: 2,
  queue_ms: 1,
  compute_ms: 10,
  lag: 0,
  p50_ms: 20,
  p95_ms: 40,
  p99_ms: 80,
  ...changes,
});

const model = {
  name: 'sentiment',
  version: 1,
  role: 'sentiment' as const,
  is_canary: false,
  precision: 'fp32',
  device: 'cpu' as const,
  state: 'ready' as const,
  requests_per_s: 3,
  inferences_per_s: 4,
  failures_per_s: 0,
  failures_total: 0,
  mean_batch: 2,
  queue_ms: 1,
  compute_ms: 10,
  pending_requests: 0,
};

const now: InferenceStatistics = {
  taken_at: point(10).at,
  window_s: 300,
  triton: { ready: true, version: '2.51.0', server_name: null },
  models: [
    model,
    { ...model, name: 'emotion', role: 'emotion', requests_per_s: 1, compute_ms: 50 },
  ],
  hardware: {
    cpu_utilization: null,
    memory_used_bytes: null,
    memory_total_bytes: null,
    gpus: [],
  },
  pipeline: { lag: 0, pending: 1, consumers: 1, dead_letters: 0, posts_per_s: 4 },
  latency: { count: 100, p50_ms: 20, p95_ms: 40, p99_ms: 80 },
  history: [point(0), point(5), point(10)],
};

const stage = (id: string, of: InferenceStatistics = now) => {
  const found = stages(of).find((each) => each.id === id);
  if (found === undefined) throw new Error(`no stage ${id}`);
  return found;
};

test('the time of a batch is that of the models, weighed by their requests', () => {
  expect(plain(stage('triton').value)).toBe('20 ms');
});

test('a queue that grows is what arrives beyond what is done', () => {
  const history = [point(0), point(5, { lag: 50 }), point(10, { lag: 100 })];
  expect(arrivalRate({ ...now, history })).toBeCloseTo(14);
  expect(arrivalRate({ ...now, history: [] })).toBe(4);
});

test('what is wrong is said at its place', () => {
  expect(stages(now).map(({ trouble }) => trouble)).toEqual(new Array(6).fill(null));
  const wrong = {
    ...now,
    triton: { ...now.triton, ready: false },
    pipeline: { ...now.pipeline, lag: 41, consumers: 0 },
  };
  expect(stage('stream', wrong).trouble).toBe('More wait than the workers do in ten seconds.');
  expect(stage('worker', wrong).trouble).toBe('No worker reads the stream.');
  expect(stage('triton', wrong).trouble).toBe('Triton does not answer.');
  const away = { ...now, pipeline: { ...now.pipeline, lag: null, pending: null, consumers: null } };
  expect(stage('stream', away)).toMatchObject({ value: '–', trouble: 'Redis does not answer.' });
});

test('times without a measurement are gaps, and told as such', () => {
  const chart = HISTORY_CHARTS[0];
  if (chart === undefined) throw new Error('no chart');
  const history = [point(0, { p50_ms: null, p99_ms: null }), point(5, { p99_ms: null })];
  expect(chartData(chart, history).series[0]?.values).toEqual([null, 20]);
  expect(plain(summarizeHistory(chart, history))).toMatch(
    /^p50: 20 ms now, 20 ms at most; .*p99: nothing measured\./,
  );
});

test('a machine of which nothing is known says which setting is missing', () => {
  renderLive(<HardwarePanel hardware={now.hardware} />);
  expect(screen.getAllByText(/TRITON_METRICS_URL/)).toHaveLength(2);
});

test('the page measures itself how long posts take to it, and says when clocks differ', () => {
  renderLive(
    <MemoryRouter>
      <LatencyPanel now={now} />
    </MemoryRouter>,
  );
  const shown = screen.getByTestId('to-screen');
  expect(shown.textContent).toContain('Measured with the next posts');
  const message = newPostMessage('1');
  const send = (queuedAtMs: number) =>
    act(() =>
      FakeWebSocket.latest.send({
        ...message,
        data: { ...message.data, queued_at: new Date(queuedAtMs).toISOString() },
      }),
    );
  send(Date.now() + 60_000);
  expect(shown.textContent).toContain("clock is behind the server's");
});
