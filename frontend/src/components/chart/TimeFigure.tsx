import { useMemo, useState } from 'react';
import { ChartLegend } from './ChartLegend';
import { ChartTable } from './ChartTable';
import { TimeChart } from './TimeChart';
import { formatPoint } from './time';
import type { TimeChartData, TimeSpan } from './types';
import { ZoomControls } from './ZoomControls';

interface TimeFigureProps {
  /** What the chart is of, for those who do not see it. */
  label: string;
  data: TimeChartData;
  /** The time it is about, in words, as in "last hour". */
  phrase: string;
  /** The chart in a sentence or two, for those who do not see it. */
  summary: string;
  /** The whole time; by default from the first time to the last. */
  whole?: TimeSpan;
  /** Where the part that is shown is kept elsewhere, as when finer data is fetched for it. */
  zoom?: TimeSpan | null;
  onZoom?: (span: TimeSpan | null) => void;
  /** Shown in the chart while it is empty. */
  note?: string | undefined;
  /** The table gets a last column with the sum of the others. */
  total?: boolean;
  testId?: string;
}

/**
 * A chart with all that belongs to it: legend and read-out, zoom by dragging, buttons and keys, and for those who do not
 * see it a summary and a table.
 */
export function TimeFigure(props: TimeFigureProps) {
  const { label, data, phrase, summary, note, total, testId } = props;
  const [hovered, setHovered] = useState<number | null>(null);
  const [ownZoom, setOwnZoom] = useState<TimeSpan | null>(null);
  const zoom = props.zoom === undefined ? ownZoom : props.zoom;
  const onZoom = props.onZoom ?? setOwnZoom;

  const { kind, times, stepMs, annotations = [], thresholds = [] } = data;
  const firstMs = props.whole?.fromMs ?? times[0] ?? 0;
  const lastMs = props.whole?.toMs ?? (times.at(-1) ?? 0) + (kind === 'stacked' ? stepMs : 0);
  const whole = useMemo(
    () => ({ fromMs: firstMs, toMs: Math.max(lastMs, firstMs + 1) }),
    [firstMs, lastMs],
  );
  const span = zoom ?? whole;
  const lengthMs = span.toMs - span.fromMs;
  const point = (ms: number) => formatPoint(ms, stepMs, lengthMs);
  return (
    <figure
      className="time-figure"
      data-testid={testId}
      data-from={span.fromMs}
      data-to={span.toMs}
    >
      <div className="time-figure-head">
        <ChartLegend
          data={data}
          span={span}
          hovered={hovered}
          phrase={zoom === null ? phrase : `${point(zoom.fromMs)} – ${point(zoom.toMs)}`}
        />
        <ZoomControls label={label} whole={whole} zoom={zoom} stepMs={stepMs} onZoom={onZoom} />
      </div>
      <TimeChart data={data} span={span} note={note} onHover={setHovered} onZoom={onZoom} />
      <figcaption className="sr-only">
        {summary}
        {thresholds.map(({ value, label: what }) => (
          <span key={`${value} ${what}`}>{` ${what}.`}</span>
        ))}
        {annotations.map(({ fromMs, toMs, label: what }) => (
          <span key={`${fromMs} ${what}`}>
            {` ${what} from ${point(fromMs)} to ${point(toMs)}.`}
          </span>
        ))}
      </figcaption>
      <ChartTable label={label} data={data} span={span} total={total} />
    </figure>
  );
}
