import { Suspense } from 'react';
import { Outlet } from 'react-router';
import { Loading } from '@/components/QueryView';
import { AlertBanner } from '@/features/alerts/AlertBanner';
import { Header } from '@/features/header/Header';
import { SignOut } from '@/features/session/SignOut';
import { JourneyHost } from './JourneyHost';
import { Navigation } from './Navigation';
import { usePageChange } from './usePageChange';
import { useRefetch } from './useRefetch';
import './shell.css';

/** What is around every page: who and where we are, what is wrong, and the one connection. */
export function Shell() {
  const { main, name } = usePageChange();
  useRefetch();
  return (
    <>
      <a className="skip-link" href="#main">
        Skip to the page
      </a>
      <Header navigation={<Navigation />} session={<SignOut />} />
      <main id="main" className="page" ref={main} tabIndex={-1}>
        <h1 className="sr-only">{name}</h1>
        <AlertBanner />
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </main>
      <JourneyHost />
    </>
  );
}
