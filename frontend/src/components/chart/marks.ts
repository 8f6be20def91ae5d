import type uPlot from 'uplot';
import type { Annotation, Threshold } from './types';

type Color = (name: string) => string;

/** Marks times behind the data with a tint. */
export function drawAnnotations(plot: uPlot, annotations: readonly Annotation[], color: Color) {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const { from, width } of visible(plot, annotations)) {
    const px = devicePixelRatio || 1;
    ctx.fillStyle = color('negative-soft');
    ctx.fillRect(from, bbox.top, width, bbox.height);
    ctx.fillStyle = color('negative-border');
    ctx.fillRect(from, bbox.top, px, bbox.height);
    ctx.fillRect(from + width - px, bbox.top, px, bbox.height);
  }
  ctx.restore();
}

/** Names them above the data: a bar as long as the time, and the label where there is room for it. */
export function drawAnnotationLabels(
  plot: uPlot,
  annotations: readonly Annotation[],
  color: Color,
) {
  const { ctx, bbox } = plot;
  const px = devicePixelRatio || 1;
  const right = bbox.left + bbox.width;
  let freeFrom = bbox.left;
  ctx.save();
  ctx.textBaseline = 'top';
  ctx.textAlign = 'left';
  for (const { from, width, label } of visible(plot, annotations)) {
    ctx.fillStyle = color('negative');
    ctx.fillRect(from, bbox.top, width, 3 * px);
    const length = ctx.measureText(label).width;
    // Beside the right edge it ends where it would else begin.
    const textFrom = Math.min(from, right - length);
    if (textFrom < freeFrom) continue;
    outlined(ctx, label, textFrom, bbox.top + 6 * px, color('negative-text'), color('panel'));
    freeFrom = textFrom + length + 8 * px;
  }
  ctx.restore();
}

/** Those that are in sight, the earliest first, as pixels of the canvas. */
function visible({ bbox, valToPos }: uPlot, annotations: readonly Annotation[]) {
  const right = bbox.left + bbox.width;
  return annotations
    .map(({ fromMs, toMs, label }) => {
      const from = Math.max(bbox.left, valToPos(fromMs / 1000, 'x', true));
      const to = Math.min(right, valToPos(toMs / 1000, 'x', true));
      const least = 3 * (devicePixelRatio || 1);
      return { from, to, width: Math.max(least, to - from), label };
    })
    .filter(({ from, to }) => to > bbox.left && from < right)
    .sort((a, b) => a.from - b.from);
}

/** Text that stands on the data, and stays legible there. */
function outlined(
  ctx: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  fill: string,
  outline: string,
) {
  ctx.lineJoin = 'round';
  ctx.lineWidth = 4 * (devicePixelRatio || 1);
  ctx.strokeStyle = outline;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = fill;
  ctx.fillText(text, x, y);
}

/** A dashed line for each threshold, its label above it at the right. */
export function drawThresholds(plot: uPlot, thresholds: readonly Threshold[], color: Color) {
  const { ctx, bbox } = plot;
  const px = devicePixelRatio || 1;
  const right = bbox.left + bbox.width;
  ctx.save();
  ctx.textAlign = 'right';
  ctx.lineWidth = 1.5 * px;
  for (const { value, label } of thresholds) {
    const y = Math.round(plot.valToPos(value, 'y', true));
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = color('text');
    ctx.setLineDash([5 * px, 4 * px]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(right, y);
    ctx.stroke();
    ctx.setLineDash([]);
    const isAtTop = y - bbox.top < 18 * px;
    ctx.textBaseline = isAtTop ? 'top' : 'bottom';
    const textY = y + (isAtTop ? 3 : -3) * px;
    outlined(ctx, label, right - 4 * px, textY, color('text'), color('panel'));
    ctx.lineWidth = 1.5 * px;
  }
  ctx.restore();
}
