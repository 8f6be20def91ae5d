import { readout } from './stack';
import { formatPoint } from './time';
import type { TimeChartData, TimeSpan } from './types';

interface ChartLegendProps {
  data: TimeChartData;
  span: TimeSpan;
  /** The time under the pointer; without one the legend sums up the whole range. */
  hovered: number | null;
  phrase: string;
}

/** Key and read-out in one line. Hidden from screen readers, which have the summary and the table. */
export function ChartLegend({ data, span, hovered, phrase }: ChartLegendProps) {
  const { kind, times, series, format, stepMs } = data;
  const hoveredMs = hovered === null ? undefined : times[hovered];
  return (
    <div className="legend" aria-hidden="true">
      {series.map(({ name, color, dash, values, readout: fixed }) => {
        const value = hoveredMs === undefined ? readout(kind, values) : values[hovered ?? 0];
        const text = value == null ? '–' : format(value);
        return (
          <span key={name} className="legend-item">
            <span
              className={`swatch swatch-${kind}${dash ? ' swatch-dashed' : ''}`}
              style={{ color: `var(--${color})` }}
            />
            {name}
            <strong>{hoveredMs === undefined ? (fixed ?? text) : text}</strong>
          </span>
        );
      })}
      <span className="legend-when">
        {hoveredMs === undefined ? phrase : formatPoint(hoveredMs, stepMs, span.toMs - span.fromMs)}
      </span>
    </div>
  );
}
