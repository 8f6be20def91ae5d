// @vitest-environment jsdom
import { act, screen } from '@testing-library/react';
import { expect, test } from 'vitest';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { renderLive, stubApi } from '@/testing/render';
import { sampleAlert } from '@/testing/samples';
import { AlertBanner } from './AlertBanner';
import { Alerts } from './Alerts';
import { isRaised, mergeAlert, RECENT_MS } from './merge';
import { describeAlert } from './sentence';

const alert = sampleAlert('1');

test('the ratio rule reads as a sentence', () => {
  expect(describeAlert(alert, alert.triggeredAtMs).replaceAll('\u00a0', ' ')).toBe(
    '62 % of 148 posts were negative between 12:00 and 12:05 (limit 50 %)',
  );
});

test('a rule of a later server is still described', () => {
  const spike = sampleAlert('2', { type: 'volume_spike', actual: 900, threshold: 300 });
  expect(describeAlert(spike, spike.triggeredAtMs)).toMatch(
    /^volume spike: 900 in .* \(limit 300\)$/,
  );
});

test('raised is what is recent and not resolved', () => {
  const nowMs = alert.triggeredAtMs + 1;
  expect(isRaised(alert, nowMs)).toBe(true);
  expect(isRaised(sampleAlert('1', { resolvedAtMs: nowMs }), nowMs)).toBe(false);
  expect(isRaised(alert, nowMs + RECENT_MS)).toBe(false);
});

test('a newer state replaces the older one, and the list stays within its limit', () => {
  const resolved = sampleAlert('1', { resolvedAtMs: alert.triggeredAtMs + 1 });
  const later = sampleAlert('2', { triggeredAtMs: alert.triggeredAtMs + 1 });
  expect(mergeAlert([later, alert], resolved, 20)).toEqual([later, resolved]);
  expect(mergeAlert([later], alert, 1)).toEqual([later]);
});

test('an alert from the connection is listed and announced, and its resolution ends the banner', async () => {
  stubApi({ '/api/alerts': { alerts: [] } });
  renderLive(
    <>
      <AlertBanner />
      <Alerts />
    </>,
  );
  await screen.findByText('No alerts');
  const now = new Date().toISOString();
  const row = {
    id: 3,
    alert_type: 'high_negative_ratio',
    threshold_value: 0.5,
    actual_value: 0.7,
    window_start: now,
    window_end: now,
    post_count: 20,
    triggered_at: now,
    resolved_at: null as string | null,
  };
  act(() => FakeWebSocket.latest.send({ type: 'alert', data: row }));
  expect((await screen.findByRole('status')).textContent).toContain('Alert raised.');
  expect(screen.getAllByTestId('alert-item')).toHaveLength(1);
  act(() => FakeWebSocket.latest.send({ type: 'alert', data: { ...row, resolved_at: now } }));
  expect(await screen.findByText(/Resolved/)).toBeTruthy();
  expect(screen.getByRole('status').textContent).toBe('');
});
