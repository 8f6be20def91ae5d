import { useLayoutEffect, useRef, useState } from 'react';

/** Shorter texts fit into the lines shown at every width, and need no measuring. */
const MAY_OVERFLOW_CHARS = 160;

/** The text of a post: its first lines, and all of it on request. */
export function PostText({ text }: { text: string }) {
  const mayOverflow = text.length > MAY_OVERFLOW_CHARS || text.includes('\n');
  const paragraph = useRef<HTMLParagraphElement>(null);
  const [isCut, setIsCut] = useState(false);
  const [isOpen, setIsOpen] = useState(false);

  useLayoutEffect(() => {
    const element = paragraph.current;
    if (mayOverflow && element !== null) setIsCut(element.scrollHeight > element.clientHeight + 1);
  }, [mayOverflow]);

  return (
    <>
      <p ref={paragraph} className={mayOverflow && !isOpen ? 'post-text post-clamp' : 'post-text'}>
        {text}
      </p>
      {isCut && (
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
