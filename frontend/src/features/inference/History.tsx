import type { HistoryPoint } from '@/api/schema';
import { TimeFigure } from '@/components/chart/TimeFigure';
import { Panel } from '@/components/Panel';
import { chartData, HISTORY_CHARTS, summarizeHistory } from './charts';

const QUARTER_MS = 15 * 60_000;

/** The last quarter of an hour, a point for five seconds. */
export function History({ history }: { history: HistoryPoint[] }) {
  const lastMs = Date.parse(history.at(-1)?.at ?? '') || 0;
  const whole = { fromMs: lastMs - QUARTER_MS, toMs: lastMs };
  return (
    <div className="inference-history">
      {HISTORY_CHARTS.map((chart) => (
        <Panel
          key={chart.id}
          title={chart.title}
          note={chart.about}
          className={`history-${chart.id}`}
        >
          <TimeFigure
            label={chart.title}
            data={chartData(chart, history)}
            whole={whole}
            phrase="last 15 minutes"
            summary={summarizeHistory(chart, history)}
            note={history.length === 0 ? 'Nothing measured yet.' : undefined}
            testId={`history-${chart.id}`}
          />
        </Panel>
      ))}
    </div>
  );
}
