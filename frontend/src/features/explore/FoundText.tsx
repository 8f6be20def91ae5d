import { useState } from 'react';
import { markMatches } from './marks';

/** Longer texts begin folded; the words that were searched for are never in the fold. */
const FOLDED_CHARS = 500;
const FOLDED_LINES = 8;

/** The text of a post, with what was searched for marked, and long ones folded. */
export function FoundText({ text, marked }: { text: string; marked: string | null }) {
  const parts = markMatches(text, marked);
  const [isOpen, setIsOpen] = useState(false);
  const foldedEnd = foldAt(text, parts);
  const isFoldable = foldedEnd < text.length;
  const shown = isFoldable && !isOpen ? markMatches(text.slice(0, foldedEnd), marked) : parts;
  return (
    <>
      <p className="explore-text">
        {shown.map((part, index) =>
          part.isMatch ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of one text never change their order
            <mark key={index}>{part.text}</mark>
          ) : (
            part.text
          ),
        )}
        {isFoldable && !isOpen && '…'}
      </p>
      {isFoldable && (
        <button
          type="button"
          className="link-button"
          aria-expanded={isOpen}
          onClick={() => setIsOpen(!isOpen)}
        >
          {isOpen ? 'Show less' : 'Show more'}
        </button>
      )}
    </>
  );
}

/** Where the fold is: after so much text, but behind the first match. */
export function foldAt(text: string, parts: ReturnType<typeof markMatches>): number {
  const lines = text.split('\n', FOLDED_LINES).join('\n').length;
  const end = Math.min(FOLDED_CHARS, lines);
  const before = parts.findIndex((part) => part.isMatch);
  const toMatch = parts.slice(0, before + 1).reduce((sum, part) => sum + part.text.length, 0);
  const fold = Math.max(end, toMatch);
  // Folding away a few words would only be a nuisance.
  return text.length - fold < 80 && end === FOLDED_CHARS ? text.length : fold;
}
