import { useEffect, useEffectEvent, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Bucket } from '@/api/model';
import { useTheme } from '@/lib/theme';
import { chartOptions } from './chartOptions';

interface ChartProps {
  buckets: Bucket[];
  bucketMs: number;
  onHover: (index: number | null) => void;
}

/**
 * Stacked bars are drawn as three overlapping ones, the tallest first: the whole, then without the positive part, then
 * the negative part alone. Negative stands on the base line, where changes are easiest to see.
 */
function stack(buckets: Bucket[]): uPlot.AlignedData {
  return [
    buckets.map(({ startMs }) => startMs / 1000),
    buckets.map(({ positive, neutral, negative }) => negative + neutral + positive),
    buckets.map(({ neutral, negative }) => negative + neutral),
    buckets.map(({ negative }) => negative),
  ];
}

export function Chart({ buckets, bucketMs, onHover }: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useTheme();
  const currentData = useEffectEvent(() => stack(buckets));
  const report = useEffectEvent(onHover);

  // A new chart for each theme: the canvas keeps the colours that it was drawn with.
  // biome-ignore lint/correctness/useExhaustiveDependencies: theme is not read here, but by the options from the page
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const size = () => ({ width: element.clientWidth, height: element.clientHeight });
    const options = chartOptions({ ...size(), bucketMs, onHover: (index) => report(index) });
    const created = new uPlot(options, currentData(), element);
    const observer = new ResizeObserver(() => created.setSize(size()));
    observer.observe(element);
    plot.current = created;
    return () => {
      observer.disconnect();
      created.destroy();
      plot.current = null;
    };
  }, [bucketMs, theme]);

  useEffect(() => plot.current?.setData(stack(buckets)), [buckets]);

  const isEmpty = buckets.every(({ total }) => total === 0);
  return (
    <div className="chart" aria-hidden="true">
      <div ref={host} className="chart-host" />
      {isEmpty && <p className="chart-empty">No posts in this time. New ones will show here.</p>}
    </div>
  );
}
