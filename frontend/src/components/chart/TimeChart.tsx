import { useEffect, useEffectEvent, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useTheme } from '@/lib/theme';
import { plotOptions } from './plotOptions';
import { stack } from './stack';
import type { TimeChartData, TimeSpan } from './types';
import './chart.css';

interface TimeChartProps {
  data: TimeChartData;
  /** What of the time is shown. */
  span: TimeSpan;
  /** Shown in the middle, in place of data. */
  note?: string | undefined;
  onHover: (index: number | null) => void;
  /** A part was selected by dragging; null: double-clicked, everything again. */
  onZoom?: ((span: TimeSpan | null) => void) | undefined;
}

function align({ kind, times, series }: TimeChartData): uPlot.AlignedData {
  const values =
    kind === 'stacked'
      ? stack(series, times.length)
      : series.map((each) => times.map((_, index) => each.values[index] ?? null));
  return [times.map((ms) => ms / 1000), ...values];
}

/** The picture alone, for those who see it: TimeFigure has the rest. */
export function TimeChart({ data, span, note, onHover, onZoom }: TimeChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useTheme();
  const canZoom = onZoom !== undefined;
  const shown = useRef({ data, span });
  const report = useEffectEvent(onHover);
  const zoom = useEffectEvent((next: TimeSpan | null) => onZoom?.(next));
  const look = data.series.map(({ name, color, dash }) => [name, color, dash].join()).join('|');

  useEffect(() => {
    shown.current = { data, span };
  }, [data, span]);

  // A new chart for each theme: the canvas keeps the colours that it was drawn with.
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is not read here, the options read from the page and the data
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const size = () => ({ width: element.clientWidth, height: element.clientHeight });
    const options = plotOptions({
      ...size(),
      data: () => shown.current.data,
      span: () => shown.current.span,
      onHover: (index) => report(index),
      onZoom: canZoom ? (next) => zoom(next) : undefined,
    });
    const created = new uPlot(options, align(shown.current.data), element);
    const observer = new ResizeObserver(() => created.setSize(size()));
    observer.observe(element);
    plot.current = created;
    return () => {
      observer.disconnect();
      created.destroy();
      plot.current = null;
    };
  }, [data.kind, data.whole, data.percent, look, canZoom, theme]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the chart reads the span from `shown`
  useEffect(() => plot.current?.setData(align(data)), [data, span]);

  return (
    <div className="chart" aria-hidden="true">
      <div ref={host} className="chart-host" />
      {note !== undefined && <p className="chart-empty">{note}</p>}
    </div>
  );
}
