import { useMemo } from 'react';
import type { AlertDetail } from '@/api/alerts';
import { TimeFigure } from '@/components/chart/TimeFigure';
import { alertChart, summarizeAlert } from './figure';

/** What the rule looked at: its window, and as long before and after it. */
export function AlertFigure({ detail }: { detail: AlertDetail }) {
  const data = useMemo(() => alertChart(detail), [detail]);
  if (detail.buckets.length === 0) {
    return (
      <p className="alert-aside">
        There is no chart: what was counted for a keyword is kept for a day.
      </p>
    );
  }
  return (
    <section aria-labelledby="alert-figure">
      <h3 id="alert-figure">Around the window</h3>
      <TimeFigure
        label="the time around the alert"
        data={data}
        phrase=""
        summary={summarizeAlert(detail)}
        testId="alert-chart"
      />
    </section>
  );
}
