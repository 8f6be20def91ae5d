import { useLayoutEffect, useRef, useState } from 'react';

/** Shorter texts fit into the lines shown at every width, and need no measuring. */
const MAY_OVERFLOW_CHARS = 160;

/** The text of a post: its first lines, and all of it on request. */
interface PostTextProps {
  text: string;
  /** Kept above: a post that is scrolled away and back is as it was left. */
  isOpen: boolean;
  onToggle: () => void;
}

export function PostText({ text, isOpen, onToggle }: PostTextProps) {
  const mayOverflow = text.length > MAY_OVERFLOW_CHARS || text.includes('\n');
  const paragraph = useRef<HTMLParagraphElement>(null);
  const [isCut, setIsCut] = useState(isOpen);

  useLayoutEffect(() => {
    const element = paragraph.current;
    if (!mayOverflow || isOpen || element === null) return;
    setIsCut(element.scrollHeight > element.clientHeight + 1);
  }, [mayOverflow, isOpen]);

  return (
    <>
      <p ref={paragraph} className={mayOverflow && !isOpen ? 'post-text post-clamp' : 'post-text'}>
        {text}
      </p>
      {isCut && (
        <button type="button" className="link-button" aria-expanded={isOpen} onClick={onToggle}>
          {isOpen ? 'Show less' : 'Show more'}
        </button>
      )}
    </>
  );
}
