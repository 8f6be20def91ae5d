import { type ReactNode, useId } from 'react';
import { Icon } from './Icon';
import './field.css';

/** What the control of a field has to carry, so that its label, hint and error are read with it. */
export interface FieldControl {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': boolean | undefined;
}

interface FieldProps {
  label: string;
  hint?: ReactNode;
  /** What is wrong with the value; shown in place of the hint. */
  error?: string | undefined;
  children: (control: FieldControl) => ReactNode;
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const noteId = `${id}-note`;
  const hasNote = error !== undefined || hint !== undefined;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        'aria-describedby': hasNote ? noteId : undefined,
        'aria-invalid': error !== undefined || undefined,
      })}
      {hasNote && (
        <p id={noteId} className={error === undefined ? 'field-hint' : 'field-error'}>
          {error !== undefined && <Icon name="alert" />}
          {error ?? hint}
        </p>
      )}
    </div>
  );
}
