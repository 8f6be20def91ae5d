import { useEffect, useState } from 'react';
import { Icon } from './Icon';

interface CopyButtonProps {
  /** Called when it is pressed: what is to be copied. */
  text: () => string;
  label: string;
}

const SHOWN_MS = 2_500;

/** Copies a text, and says whether that worked: a browser may forbid it, and does on a page that came without TLS. */
export function CopyButton({ text, label }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<'copied' | 'failed' | null>(null);
  useEffect(() => {
    if (outcome === null) return;
    const timer = setTimeout(() => setOutcome(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [outcome]);

  const copy = async () => setOutcome((await copied(text())) ? 'copied' : 'failed');
  return (
    <>
      <button type="button" className="button" onClick={() => void copy()}>
        <Icon name={outcome === 'copied' ? 'check' : 'copy'} />
        {outcome === 'failed' ? 'Cannot copy' : label}
      </button>
      <span className="sr-only" role="status">
        {outcome === 'copied' && 'Copied'}
        {outcome === 'failed' && 'The browser does not let this page copy.'}
      </span>
    </>
  );
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Forbidden, or not there at all.
    return false;
  }
}
