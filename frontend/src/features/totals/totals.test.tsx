// @vitest-environment jsdom
import { act, fireEvent, screen } from '@testing-library/react';
import { useState } from 'react';
import { expect, test } from 'vitest';
import type { TimeWindow } from '@/lib/timeWindow';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { renderLive, stubApi } from '@/testing/render';
import { describeChange } from './change';
import { Totals } from './Totals';
import { pickTotals } from './useTotals';

const counts = (positive: number, negative: number) => ({
  positive,
  negative,
  neutral: 0,
  total: positive + negative,
});
const live = { last_minute: counts(1, 0), last_hour: counts(2, 0), last_24_hours: counts(3, 0) };

test('the connection is the source while it stands, REST while it does not', () => {
  const rest = { last_hour: counts(20, 0) };
  expect(pickTotals(live, true, rest).last_hour?.total).toBe(2);
  expect(pickTotals(live, false, rest).last_hour?.total).toBe(20);
  expect(pickTotals(live, false, rest).last_minute?.total).toBe(1);
  expect(pickTotals(null, true, rest).last_hour?.total).toBe(20);
  expect(pickTotals(null, true, rest).last_minute).toBeNull();
});

test('changes are in points, and absent without something to compare', () => {
  expect(describeChange('negative', counts(1, 1), counts(3, 1))).toBe('+25 pt vs 24 h');
  expect(describeChange('positive', counts(1, 1), counts(3, 1))).toBe('−25 pt vs 24 h');
  expect(describeChange('positive', counts(1, 1), counts(5, 5))).toBe('as in 24 h');
  expect(describeChange('positive', counts(0, 0), counts(5, 5))).toBe('');
  expect(describeChange('positive', counts(1, 1), null)).toBe('');
});

function SwitchableTotals() {
  const [timeWindow, setTimeWindow] = useState<TimeWindow>('last_hour');
  return <Totals timeWindow={timeWindow} onTimeWindow={setTimeWindow} />;
}

test('starts from REST, follows the connection, and switches windows', async () => {
  stubApi({ '/api/sentiment/distribution': { distribution: counts(6, 4), total: 10 } });
  renderLive(<SwitchableTotals />);
  expect((await screen.findByText('10')).dataset.testid).toBe('total-posts');
  act(() => {
    FakeWebSocket.latest.accept();
    FakeWebSocket.latest.send({ type: 'metrics_update', data: live });
  });
  expect(screen.getByTestId('total-posts').textContent).toBe('2');
  fireEvent.click(screen.getByRole('radio', { name: '24 hours' }));
  expect(screen.getByTestId('total-posts').textContent).toBe('3');
});
