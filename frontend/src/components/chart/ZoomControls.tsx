import { type KeyboardEvent, useRef } from 'react';
import { Icon } from '@/components/Icon';
import { moveSpan, scaleSpan } from './time';
import type { TimeSpan } from './types';

interface ZoomControlsProps {
  label: string;
  whole: TimeSpan;
  /** Null while everything is shown. */
  zoom: TimeSpan | null;
  stepMs: number;
  onZoom: (span: TimeSpan | null) => void;
}

const STEP = 0.5;

/** What dragging on the chart does, for those who do not drag: buttons, and +, −, arrows and Escape while one has the focus. */
export function ZoomControls({ label, whole, zoom, stepMs, onZoom }: ZoomControlsProps) {
  const nearerButton = useRef<HTMLButtonElement>(null);
  const span = zoom ?? whole;
  const nearer = () => onZoom(scaleSpan(span, STEP, whole, stepMs));
  const further = () => zoom && onZoom(scaleSpan(zoom, 1 / STEP, whole, stepMs));
  const reset = () => {
    // The button is about to vanish; the focus should not vanish with it.
    nearerButton.current?.focus();
    onZoom(null);
  };
  const keys: Record<string, () => void> = {
    '+': nearer,
    '=': nearer,
    '-': further,
    ArrowLeft: () => zoom && onZoom(moveSpan(zoom, -1, whole)),
    ArrowRight: () => zoom && onZoom(moveSpan(zoom, 1, whole)),
    Escape: reset,
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const act = keys[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form's fields
    <div className="zoom" role="group" aria-label={`Zoom of ${label}`} onKeyDown={onKeyDown}>
      {zoom !== null && (
        <button type="button" className="link-button" onClick={reset}>
          Whole range
        </button>
      )}
      <button
        type="button"
        className="icon-button"
        aria-label="Zoom out"
        title="Zoom out (−; arrows move)"
        aria-disabled={zoom === null}
        onClick={further}
      >
        <Icon name="minus" />
      </button>
      <button
        ref={nearerButton}
        type="button"
        className="icon-button"
        aria-label="Zoom in"
        title="Zoom in (+), or drag on the chart"
        onClick={nearer}
      >
        <Icon name="plus" />
      </button>
    </div>
  );
}
