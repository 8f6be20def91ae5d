import uPlot from 'uplot';
import { formatCount, formatTime } from '@/lib/format';

interface ChartSetup {
  width: number;
  height: number;
  bucketMs: number;
  onHover: (index: number | null) => void;
}

/** Canvas cannot use custom properties, so it gets what they stand for at present. */
function readColors() {
  const style = getComputedStyle(document.documentElement);
  return (name: string) => style.getPropertyValue(`--${name}`).trim();
}

const MOST_POSTS = 1e9;

/** 1, 2, 5, 10, 20, …: there is no half post. */
const COUNT_STEPS = Array.from(
  { length: 27 },
  (_, step) => ([1, 2, 5][step % 3] ?? 1) * 10 ** Math.floor(step / 3),
);

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const TIME_STEPS = [1, 2, 5, 10, 15, 30]
  .map((minutes) => minutes * MINUTE_S)
  .concat([1, 2, 3, 4, 6, 12].map((hours) => hours * HOUR_S));

export function chartOptions({ width, height, bucketMs, onHover }: ChartSetup): uPlot.Options {
  const color = readColors();
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  const font = `${0.75 * rem}px ${getComputedStyle(document.body).fontFamily}`;
  const bars = uPlot.paths.bars?.({ size: [0.86, 2.5 * rem], radius: 0 });
  const series = (name: string): uPlot.Series => ({
    fill: color(name),
    // The gap between the parts keeps them apart also for those who do not see the colours differ.
    stroke: color('panel'),
    width: 1,
    points: { show: false },
    ...(bars && { paths: bars }),
  });
  const axis: uPlot.Axis = {
    stroke: color('muted'),
    font,
    ticks: { show: false },
    grid: { stroke: color('grid'), width: 1 },
  };
  const halfBucketS = bucketMs / 2000;
  return {
    width,
    height,
    padding: [0.5 * rem, 0.75 * rem, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { range: (_, min, max) => [min - halfBucketS, max + halfBucketS] },
      y: { range: (_, __, max) => [0, Math.min(MOST_POSTS, Math.max(4, max * 1.05))] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        incrs: TIME_STEPS,
        space: 3.75 * rem,
        size: 1.75 * rem,
        values: (_, splits) => splits.map((seconds) => formatTime(seconds * 1000)),
      },
      {
        ...axis,
        incrs: COUNT_STEPS,
        space: 2.5 * rem,
        size: 2.75 * rem,
        values: (_, splits) => splits.map(formatCount),
      },
    ],
    series: [{}, series('positive'), series('neutral'), series('negative')],
    hooks: { setCursor: [(plot) => onHover(plot.cursor.idx ?? null)] },
  };
}
