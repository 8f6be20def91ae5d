import { type ComponentType, lazy } from 'react';
import type { IconName } from '@/components/Icon';
import { AlertBadge } from '@/features/alerts/AlertBadge';

export interface PageEntry {
  path: string;
  name: string;
  icon: IconName;
  Page: ComponentType;
  /** What is new there, beside the name; the link is described by the element with this id. */
  Badge?: ComponentType<{ id: string }>;
}

/** The pages in the order of the navigation. Each is loaded when it is first opened, and no earlier. */
export const PAGES: readonly PageEntry[] = [
  { path: '/', name: 'Live', icon: 'live', Page: lazy(() => import('./pages/LivePage')) },
  {
    path: '/explore',
    name: 'Explore',
    icon: 'search',
    Page: lazy(() => import('./pages/ExplorePage')),
  },
  {
    path: '/alerts',
    name: 'Alerts',
    icon: 'alert',
    Page: lazy(() => import('./pages/AlertsPage')),
    Badge: AlertBadge,
  },
  {
    path: '/inference',
    name: 'Inference',
    icon: 'gauge',
    Page: lazy(() => import('./pages/InferencePage')),
  },
  { path: '/try', name: 'Try it', icon: 'try', Page: lazy(() => import('./pages/TryPage')) },
];
