import uPlot from 'uplot';
import { drawAnnotationLabels, drawAnnotations, drawThresholds } from './marks';
import { formatMark, TIME_STEPS_S } from './time';
import type { TimeChartData, TimeSpan } from './types';

interface PlotSetup {
  width: number;
  height: number;
  /** What is shown now; read whenever something is drawn. */
  data: () => TimeChartData;
  span: () => TimeSpan;
  onHover: (index: number | null) => void;
  /** Null: the whole again. Absent where nobody can zoom. */
  onZoom?: ((span: TimeSpan | null) => void) | undefined;
}

/** Canvas cannot use custom properties, so it gets what they stand for at present. */
function readColors() {
  const style = getComputedStyle(document.documentElement);
  return (name: string) => style.getPropertyValue(`--${name}`).trim();
}

const MOST = 1e12;
/** A selection of fewer pixels was a click. */
const LEAST_DRAG_PX = 6;

/** 1, 2, 5, 10, 20, …: there is no half post. */
const WHOLE_STEPS = Array.from(
  { length: 33 },
  (_, step) => ([1, 2, 5][step % 3] ?? 1) * 10 ** Math.floor(step / 3),
);

const PERCENT_STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5];

/** Values with neighbours on neither side, which as a line would not show. */
function loneIndices(plot: uPlot, seriesIndex: number): number[] {
  const values = plot.data[seriesIndex] ?? [];
  return Array.from(values.keys()).filter(
    (i) => values[i] != null && values[i - 1] == null && values[i + 1] == null,
  );
}

export function plotOptions(setup: PlotSetup): uPlot.Options {
  const { width, height, data, span, onHover, onZoom } = setup;
  const { kind, series, whole, percent } = data();
  const color = readColors();
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  const font = `${0.75 * rem}px ${getComputedStyle(document.body).fontFamily}`;
  const bars = uPlot.paths.bars?.({ size: [0.86, 10 * rem], align: 1, radius: 0 });
  const axis: uPlot.Axis = {
    stroke: color('muted'),
    font,
    ticks: { show: false },
    grid: { stroke: color('grid'), width: 1 },
  };
  const top = (most: number) => {
    const { max, thresholds = [], annotations = [] } = data();
    if (max !== undefined) return max;
    const highest = Math.max(most || 0, ...thresholds.map(({ value }) => value));
    const least = whole ? 4 : Number.MIN_VALUE;
    // Room for their labels.
    const above = annotations.length > 0 ? 1.2 : 1.05;
    return Math.min(MOST, Math.max(least, highest * above)) || 1;
  };
  return {
    width,
    height,
    // At the right, half of the last time's text.
    padding: [0.5 * rem, 1.25 * rem, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: onZoom !== undefined, y: false, setScale: false, dist: LEAST_DRAG_PX },
      // A bar is pointed at all the way to the next one.
      dataIdx: (plot, _, index, seconds) =>
        kind === 'stacked' && seconds < (plot.data[0][index] ?? 0) ? Math.max(0, index - 1) : index,
      bind: {
        dblclick: () => () => {
          onZoom?.(null);
          return null;
        },
      },
    },
    scales: {
      x: { range: () => [span().fromMs / 1000, span().toMs / 1000] },
      y: { range: (_, __, most) => [0, top(most)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        incrs: TIME_STEPS_S,
        space: 4 * rem,
        size: 1.75 * rem,
        values: (_, splits, __, ___, stepS) =>
          splits.map((seconds) => formatMark(seconds * 1000, stepS * 1000)),
      },
      {
        ...axis,
        ...(whole && { incrs: WHOLE_STEPS }),
        ...(percent && { incrs: PERCENT_STEPS }),
        space: 2.5 * rem,
        size: (_, labels) =>
          (1 + 0.42 * Math.max(3, ...(labels ?? []).map((text) => text.length))) * rem,
        values: (_, splits) => splits.map((value) => data().format(value)),
      },
    ],
    series: [
      {},
      ...series.map((each): uPlot.Series => {
        if (kind === 'lines') {
          return {
            stroke: color(each.color),
            width: 2,
            points: { show: true, size: 5, fill: color(each.color), filter: loneIndices },
            ...(each.dash && { dash: [...each.dash] }),
          };
        }
        return {
          fill: color(each.color),
          // The gap between the parts keeps them apart also for those who do not see the colours differ.
          stroke: color('panel'),
          width: 1,
          points: { show: false },
          ...(bars && { paths: bars }),
        };
      }),
    ],
    hooks: {
      drawAxes: [
        (plot) => {
          plot.ctx.font = scaledFont(font);
          drawAnnotations(plot, data().annotations ?? [], color);
        },
      ],
      draw: [
        (plot) => {
          plot.ctx.font = scaledFont(font);
          drawThresholds(plot, data().thresholds ?? [], color);
          drawAnnotationLabels(plot, data().annotations ?? [], color);
        },
      ],
      setCursor: [(plot) => onHover(plot.cursor.idxs?.[1] ?? null)],
      setSelect: [
        (plot) => {
          const { left, width: selected } = plot.select;
          if (selected < LEAST_DRAG_PX) return;
          const fromMs = Math.round(plot.posToVal(left, 'x') * 1000);
          const toMs = Math.round(plot.posToVal(left + selected, 'x') * 1000);
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          onZoom?.({ fromMs, toMs });
        },
      ],
    },
  };
}

/** The canvas counts in pixels of the device. */
const scaledFont = (font: string): string =>
  font.replace(
    /^[\d.]+px/,
    (size) => `${Number.parseFloat(size) * (window.devicePixelRatio || 1)}px`,
  );
