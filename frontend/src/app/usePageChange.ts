import { type RefObject, useEffect, useRef } from 'react';
import { useLocation } from 'react-router';
import { PAGES } from './pages';

interface PageChange {
  main: RefObject<HTMLElement | null>;
  /** The page's name, for its heading. */
  name: string;
}

/** Does what a browser does when it loads another page: title, focus and scroll position follow. */
export function usePageChange(): PageChange {
  const { pathname } = useLocation();
  const main = useRef<HTMLElement>(null);
  const shown = useRef(pathname);
  const name = PAGES.find(({ path }) => path === pathname)?.name ?? 'Not found';

  useEffect(() => {
    document.title = `${name} · Undertone`;
  }, [name]);

  useEffect(() => {
    if (shown.current === pathname) return;
    shown.current = pathname;
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [pathname]);

  return { main, name };
}
