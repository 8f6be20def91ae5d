// @vitest-environment jsdom
import { act, fireEvent, screen, waitFor } from '@testing-library/react';
import { MemoryRouter } from 'react-router';
import { expect, test } from 'vitest';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { renderLive, stubApi } from '@/testing/render';
import { sampleAlert } from '@/testing/samples';
import { AlertBadge } from './AlertBadge';
import { AlertBanner } from './AlertBanner';
import { Alerts } from './Alerts';
import { AlertsNow } from './AlertsNow';
import { byAttention, isUnattended, mergeAlert } from './merge';
import { describeAlert } from './sentence';

const alert = sampleAlert(1);
const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test('the rule of the settings reads as a sentence', () => {
  expect(plain(describeAlert(alert, alert.triggeredAtMs))).toBe(
    '62 % of 148 posts were negative between 12:00 and 12:05 (limit 50 %)',
  );
});

test('what is just above its limit does not read like it', () => {
  const close = sampleAlert(1, { actual: 0.5046 });
  expect(plain(describeAlert(close, alert.triggeredAtMs))).toMatch(/^50.5 % .* \(limit 50 %\)$/);
});

test('so do rules with a scope, an emotion, or a volume', () => {
  const anger = sampleAlert(1, {
    kind: 'emotion_ratio',
    emotion: 'anger',
    source: 'reddit',
    keyword: 'update',
  });
  expect(plain(describeAlert(anger, alert.triggeredAtMs))).toMatch(
    /^62 % of 148 posts from reddit with “update” showed anger between/,
  );
  const volume = sampleAlert(1, { kind: 'volume', actual: 148, threshold: 1_200 });
  expect(plain(describeAlert(volume, alert.triggeredAtMs))).toBe(
    '148 posts came between 12:00 and 12:05 (limit 1,200)',
  );
});

test('a rule of a later server is still described', () => {
  const spike = sampleAlert(2, {
    kind: 'unknown',
    type: 'new_words',
    actual: 900,
    threshold: 300,
  });
  expect(describeAlert(spike, spike.triggeredAtMs)).toMatch(/^new words: 900 in .* \(limit 300\)$/);
});

test('what nobody looks after comes first, and is raised', () => {
  const resolved = sampleAlert(1, { resolvedAtMs: 1 });
  const seen = sampleAlert(2, { acknowledgedAtMs: 1, triggeredAtMs: alert.triggeredAtMs + 1 });
  expect([resolved, seen, alert].map(isUnattended)).toEqual([false, false, true]);
  expect(byAttention([seen, alert])).toEqual([alert, seen]);
});

test('a newer state replaces the older one, and the list stays within its limit', () => {
  const resolved = sampleAlert(1, { resolvedAtMs: alert.triggeredAtMs + 1 });
  const later = sampleAlert(2, { triggeredAtMs: alert.triggeredAtMs + 1 });
  expect(mergeAlert([later, alert], resolved, 20)).toEqual([later, resolved]);
  expect(mergeAlert([later], alert, 1)).toEqual([later]);
});

const now = new Date().toISOString();
const row = {
  id: 3,
  alert_type: 'emotion_ratio:7',
  threshold_value: 0.5,
  actual_value: 0.7,
  window_start: now,
  window_end: now,
  post_count: 20,
  triggered_at: now,
  resolved_at: null as string | null,
  details: { kind: 'emotion_ratio', emotion: 'anger', matching: 14, total: 20 },
  rule_id: 7,
  rule_name: 'Anger',
  scope: { source: null, keyword: null, emotion: 'anger' },
  acknowledged_at: null as string | null,
  acknowledged_note: null as string | null,
};
const send = (changes: object = {}) =>
  act(() => FakeWebSocket.latest.send({ type: 'alert', data: { ...row, ...changes } }));

test('alerts of the connection are listed, announced and counted, until somebody looks after them', async () => {
  stubApi({ '/api/alerts': { alerts: [], total: 0, limit: 20, offset: 0 } });
  renderLive(
    <MemoryRouter>
      <AlertBanner />
      <AlertBadge id="badge" />
      <Alerts />
    </MemoryRouter>,
  );
  await screen.findByText('No alerts');
  send();
  expect((await screen.findByRole('status')).textContent).toContain('Alert raised: Anger.');
  expect(screen.getByRole('link', { name: 'Why? Anger' }).getAttribute('href')).toBe(
    '/alerts?alert=3',
  );
  expect(plain(screen.getByTestId('alert-badge').textContent)).toBe('11 alert not acknowledged');
  expect(screen.getAllByTestId('alert-item')).toHaveLength(1);
  send({ acknowledged_at: now, acknowledged_note: 'We know' });
  await waitFor(() => expect(screen.getByRole('status').textContent).toBe(''));
  expect(screen.queryByTestId('alert-badge')).toBeNull();
  expect(screen.getByText(/acknowledged: “We know”/)).toBeTruthy();
  send({ acknowledged_at: now, resolved_at: now });
  expect(await screen.findByText('Resolved')).toBeTruthy();
  expect(screen.getAllByTestId('alert-item')).toHaveLength(1);
});

test('calm says so, and acknowledging says what the server refuses', async () => {
  stubApi({ '/api/alerts': { alerts: [], total: 0, limit: 20, offset: 0 } });
  renderLive(
    <MemoryRouter>
      <AlertBanner />
      <AlertsNow />
    </MemoryRouter>,
  );
  expect(await screen.findByText('All calm.')).toBeTruthy();
  send();
  fireEvent.click(await screen.findByRole('button', { name: 'Acknowledge' }));
  expect((await screen.findByRole('alert')).textContent).toBe('The server cannot be reached.');
});
