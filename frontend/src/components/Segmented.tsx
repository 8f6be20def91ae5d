import { useId } from 'react';
import { Icon, type IconName } from './Icon';
import './segmented.css';

export interface Segment<T extends string> {
  value: T;
  label: string;
  /** Shown in place of the label, which then is the name for assistive technology and on hover. */
  icon?: IconName;
}

interface SegmentedProps<T extends string> {
  legend: string;
  segments: readonly Segment<T>[];
  value: T;
  onChange: (value: T) => void;
}

/** A choice of one among few. Radio buttons underneath, so arrow keys and screen readers work as people expect. */
export function Segmented<T extends string>(props: SegmentedProps<T>) {
  const name = useId();
  return (
    <fieldset className="segmented">
      <legend className="sr-only">{props.legend}</legend>
      {props.segments.map(({ value, label, icon }) => (
        <label key={value} className="segment" title={icon && label}>
          <input
            type="radio"
            name={name}
            value={value}
            aria-label={icon && label}
            checked={value === props.value}
            onChange={() => props.onChange(value)}
          />
          <span>{icon ? <Icon name={icon} /> : label}</span>
        </label>
      ))}
    </fieldset>
  );
}
