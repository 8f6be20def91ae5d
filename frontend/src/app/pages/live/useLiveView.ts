import { useEffect, useMemo, useState } from 'react';
import { useSearchParams } from 'react-router';
import type { TimeSpan } from '@/components/chart/types';
import { useSlowClock } from '@/lib/clock';
import {
  type Buckets,
  firstBucketMs,
  rangeBuckets,
  spanBuckets,
  TIME_RANGES,
  type TimeRange,
} from '@/lib/timeRange';

const DEFAULT_RANGE = TIME_RANGES[1] as TimeRange;

interface LiveView {
  range: TimeRange;
  /** Null: all of them. */
  source: string | null;
  setRange: (id: string) => void;
  setSource: (source: string | null) => void;
  /** The range as a chart shows it. */
  whole: TimeSpan;
  /** The part that both charts show; null: the whole. */
  zoom: TimeSpan | null;
  setZoom: (span: TimeSpan | null) => void;
  buckets: Buckets;
}

/** What the whole page is about. Range and source are in its address, for a link and for coming back. */
export function useLiveView(): LiveView {
  const [address, setParams] = useSearchParams();
  // The address follows in a transition; what was chosen has to show at once.
  const [chosen, setChosen] = useState<URLSearchParams | null>(null);
  const params = chosen ?? address;
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever the address has changed, it counts
  useEffect(() => setChosen(null), [address]);
  const range = TIME_RANGES.find(({ id }) => id === params.get('range')) ?? DEFAULT_RANGE;
  const source = params.get('source') || null;
  const [zoomed, setZoomed] = useState<{ rangeId: string; span: TimeSpan } | null>(null);
  const zoom = zoomed?.rangeId === range.id ? zoomed.span : null;

  const change = (name: string, value: string | null) => {
    const next = new URLSearchParams(params);
    if (value === null) next.delete(name);
    else next.set(name, value);
    setChosen(next);
    setParams(next, { replace: true, preventScrollReset: true });
  };

  const { stepMs, count } = rangeBuckets(range);
  const fromMs = firstBucketMs(rangeBuckets(range), useSlowClock());
  const whole = useMemo(() => ({ fromMs, toMs: fromMs + count * stepMs }), [fromMs, count, stepMs]);
  const buckets = useMemo(
    () => (zoom === null ? rangeBuckets(range) : spanBuckets(zoom)),
    [range, zoom],
  );
  return {
    range,
    source,
    setRange: (id) => change('range', id === DEFAULT_RANGE.id ? null : id),
    setSource: (next) => change('source', next),
    whole,
    zoom,
    setZoom: (span) => setZoomed(span && { rangeId: range.id, span }),
    buckets,
  };
}
