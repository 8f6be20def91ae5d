import type { InferenceStatistics } from '@/api/schema';
import { Panel } from '@/components/Panel';
import { plural } from '@/lib/format';
import { formatMs } from '@/lib/units';
import { Metric } from './Metric';
import { useScreenDelay } from './useScreenDelay';

const NO_POSTS = 'No post came in this time.';

/** How long a post takes from its arrival in the stream until it is sent to the browsers, and to this one. */
export function LatencyPanel({ now: { latency } }: { now: InferenceStatistics }) {
  const note = latency === null ? undefined : `of ${plural(latency.count, 'post')}`;
  const value = (ms: number | undefined) => (ms === undefined ? null : formatMs(ms));
  return (
    <Panel title="From arrival to sent" note={note}>
      <dl className="metrics" data-testid="latency">
        <Metric
          name="Half within"
          value={value(latency?.p50_ms)}
          about={latency === null ? NO_POSTS : 'p50: what a post usually takes.'}
          testId="p50"
        />
        <Metric
          name="95 % within"
          value={value(latency?.p95_ms)}
          about={latency === null ? NO_POSTS : 'p95: above a second people notice.'}
          testId="p95"
        />
        <Metric
          name="99 % within"
          value={value(latency?.p99_ms)}
          about={latency === null ? NO_POSTS : 'p99: the slowest. High alone, it is a pause.'}
          testId="p99"
        />
        <ScreenDelay />
      </dl>
    </Panel>
  );
}

function ScreenDelay() {
  const { medianMs, count } = useScreenDelay();
  const isAhead = medianMs !== null && medianMs < 0;
  return (
    <Metric
      name="To this screen"
      value={medianMs === null || isAhead ? null : formatMs(medianMs)}
      about={
        medianMs === null
          ? 'Measured with the next posts that come.'
          : isAhead
            ? "This device's clock is behind the server's, so it cannot be told."
            : `Arrival to here, half of the last ${plural(count, 'post')}; as right as both clocks.`
      }
      testId="to-screen"
    />
  );
}
