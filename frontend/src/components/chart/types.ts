/** Epoch milliseconds, the end not included. */
export interface TimeSpan {
  fromMs: number;
  toMs: number;
}

export interface ChartSeries {
  name: string;
  /** A custom property of base.css without its dashes, as in `positive` or `chart-1`. */
  color: string;
  /** One for each time; null is a gap. */
  values: readonly (number | null)[];
  /** For lines: lengths in pixels of strokes and gaps, which tell lines apart without colour. */
  dash?: readonly number[];
  /** What the legend says while nothing is pointed at; by default the sum of bars, or the last value of a line. */
  readout?: string;
}

/** A line across the chart. */
export interface Threshold {
  value: number;
  label: string;
}

/** A time that is marked behind the data. */
export interface Annotation extends TimeSpan {
  label: string;
}

export interface TimeChartData {
  /**
   * `stacked`: bars, each from its time to the next; the last series stands on the base line.
   * `lines`: one line a series.
   */
  kind: 'stacked' | 'lines';
  /** Ascending, epoch milliseconds. */
  times: readonly number[];
  /** From one time to the next: what a bar covers, and how exactly times are written. */
  stepMs: number;
  series: readonly ChartSeries[];
  /** A value as text, with its unit. */
  format: (value: number) => string;
  /** Values are whole numbers, and so are the marks of the axis. */
  whole?: boolean;
  /** Values are shares from 0 to 1, and the marks of the axis whole per cent. */
  percent?: boolean;
  /** Where the axis ends; by default where the data does. */
  max?: number;
  thresholds?: readonly Threshold[];
  annotations?: readonly Annotation[];
}
