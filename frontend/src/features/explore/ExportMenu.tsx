import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { Field } from '@/components/Field';
import { Icon } from '@/components/Icon';
import { formatCount } from '@/lib/format';
import { EXPORT_LIMITS, type ExportLimit, exportUrl, type PostsQuery } from './postsQuery';
import { type Cut, useIsCut } from './useIsCut';

/** The same posts as a file: plain links, so the browser does the downloading. */
export function ExportMenu({ query }: { query: PostsQuery }) {
  const [isOpen, setIsOpen] = useState(false);
  const id = useId();
  const menu = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!isOpen) return;
    const closeBeside = (event: Event) => {
      if (event.target instanceof Node && !menu.current?.contains(event.target)) setIsOpen(false);
    };
    document.addEventListener('pointerdown', closeBeside);
    document.addEventListener('focusin', closeBeside);
    return () => {
      document.removeEventListener('pointerdown', closeBeside);
      document.removeEventListener('focusin', closeBeside);
    };
  }, [isOpen]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !isOpen) return;
    setIsOpen(false);
    button.current?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape closes it from wherever the focus is in it
    <div className="explore-export" ref={menu} onKeyDown={onKeyDown}>
      <button
        ref={button}
        type="button"
        className="button"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setIsOpen(!isOpen)}
      >
        <Icon name="download" />
        Export
      </button>
      <div id={id} className="explore-export-menu" hidden={!isOpen}>
        {isOpen && <ExportLinks query={query} />}
      </div>
    </div>
  );
}

/** What is in the file, as far as that is known. */
const HINTS: Record<Cut, (limit: string) => string> = {
  no: () => 'All posts that match are in the file, also those further down.',
  yes: (limit) => `More posts match: the file has the newest ${limit}.`,
  unknown: (limit) =>
    `The newest posts that match are in the file; if it has ${limit}, more may match.`,
};

function ExportLinks({ query }: { query: PostsQuery }) {
  const [limit, setLimit] = useState<ExportLimit>(10_000);
  return (
    <>
      <Field label="At most" hint={HINTS[useIsCut(query, limit)](formatCount(limit))}>
        {(control) => (
          <select
            {...control}
            className="input"
            value={limit}
            onChange={(event) => setLimit(Number(event.target.value) as ExportLimit)}
          >
            {EXPORT_LIMITS.map((each) => (
              <option key={each} value={each}>
                {formatCount(each)} posts
              </option>
            ))}
          </select>
        )}
      </Field>
      <div className="explore-export-links">
        <a className="button" href={exportUrl(query, 'csv', limit)} download>
          <Icon name="download" />
          CSV
        </a>
        <a className="button" href={exportUrl(query, 'json', limit)} download>
          <Icon name="download" />
          JSON
        </a>
      </div>
    </>
  );
}
