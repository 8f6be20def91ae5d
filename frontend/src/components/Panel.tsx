import { type ReactNode, useId } from 'react';
import './panel.css';

interface PanelProps {
  title: string;
  /** What the numbers cover, beside the title. */
  note?: string | undefined;
  actions?: ReactNode;
  className?: string;
  id?: string;
  children: ReactNode;
}

export function Panel({ title, note, actions, className = '', id, children }: PanelProps) {
  const titleId = useId();
  return (
    <section id={id} className={`panel ${className}`} aria-labelledby={titleId}>
      <div className="panel-head">
        <h2 id={titleId}>{title}</h2>
        {note !== undefined && <span className="panel-note">{note}</span>}
        {actions !== undefined && <div className="panel-actions">{actions}</div>}
      </div>
      {children}
    </section>
  );
}
