import type { ReactNode } from 'react';
import { formatTime } from '@/lib/format';
import { Icon } from './Icon';

interface Query<T> {
  data: T | undefined;
  error: Error | null;
  dataUpdatedAt: number;
}

interface QueryViewProps<T> {
  query: Query<T>;
  children: (data: T) => ReactNode;
}

/** Loading, failed, or the data; data that can no longer be refreshed stays, with a note of its age. */
export function QueryView<T>({ query, children }: QueryViewProps<T>) {
  const { data, error, dataUpdatedAt } = query;
  if (data === undefined) {
    return error === null ? <Loading /> : <State title={error.message} text="Trying again…" />;
  }
  return (
    <>
      {error !== null && (
        <p className="stale">
          <Icon name="alert" />
          {error.message} This is from {formatTime(dataUpdatedAt)}.
        </p>
      )}
      {children(data)}
    </>
  );
}

export function State({ title, text }: { title: string; text: string }) {
  return (
    <p className="state">
      <strong>{title}</strong>
      <span>{text}</span>
    </p>
  );
}

export function Loading() {
  return (
    <div className="skeleton">
      <span className="sr-only">Loading…</span>
    </div>
  );
}
