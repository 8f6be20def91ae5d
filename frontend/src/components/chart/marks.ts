import type uPlot from 'uplot';
import type { Annotation, Threshold } from './types';

type Color = (name: string) => string;

/** Marks times behind the data: a tint, edges, and the label where there is room for it. */
export function drawAnnotations(plot: uPlot, annotations: readonly Annotation[], color: Color) {
  const { ctx, bbox } = plot;
  const px = devicePixelRatio || 1;
  const right = bbox.left + bbox.width;
  let freeFrom = bbox.left;
  ctx.save();
  ctx.textBaseline = 'top';
  ctx.textAlign = 'left';
  for (const { fromMs, toMs, label } of annotations) {
    const from = Math.max(bbox.left, plot.valToPos(fromMs / 1000, 'x', true));
    const to = Math.min(right, plot.valToPos(toMs / 1000, 'x', true));
    if (to <= bbox.left || from >= right) continue;
    const width = Math.max(2 * px, to - from);
    ctx.fillStyle = color('negative-soft');
    ctx.fillRect(from, bbox.top, width, bbox.height);
    ctx.fillStyle = color('negative-border');
    ctx.fillRect(from, bbox.top, px, bbox.height);
    ctx.fillRect(from + width - px, bbox.top, px, bbox.height);
    ctx.fillStyle = color('negative');
    ctx.fillRect(from, bbox.top, width, 3 * px);
    const textFrom = from + 5 * px;
    const textTo = textFrom + ctx.measureText(label).width;
    if (textFrom < freeFrom || textTo > right) continue;
    ctx.fillStyle = color('negative-text');
    ctx.fillText(label, textFrom, bbox.top + 6 * px);
    freeFrom = textTo + 8 * px;
  }
  ctx.restore();
}

/** A dashed line for each threshold, its label above it at the right. */
export function drawThresholds(plot: uPlot, thresholds: readonly Threshold[], color: Color) {
  const { ctx, bbox } = plot;
  const px = devicePixelRatio || 1;
  const right = bbox.left + bbox.width;
  ctx.save();
  ctx.textAlign = 'right';
  ctx.lineWidth = 1.5 * px;
  ctx.lineJoin = 'round';
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
    // It stands on the bars: an outline in the panel's colour keeps it legible.
    const isAtTop = y - bbox.top < 18 * px;
    ctx.textBaseline = isAtTop ? 'top' : 'bottom';
    const textY = y + (isAtTop ? 3 : -3) * px;
    ctx.strokeStyle = color('panel');
    ctx.lineWidth = 4 * px;
    ctx.strokeText(label, right - 4 * px, textY);
    ctx.lineWidth = 1.5 * px;
    ctx.fillStyle = color('text');
    ctx.fillText(label, right - 4 * px, textY);
  }
  ctx.restore();
}
