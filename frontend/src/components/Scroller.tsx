import type { ReactNode, Ref } from 'react';

interface ScrollerProps {
  label: string;
  className: string;
  ref?: Ref<HTMLElement>;
  onScroll?: () => void;
  children: ReactNode;
}

/** A part of the page that scrolls on its own, also by keyboard. */
export function Scroller({ label, ...rest }: ScrollerProps) {
  return (
    <section
      {...rest}
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys scroll only what can hold the focus
      tabIndex={0}
    />
  );
}
