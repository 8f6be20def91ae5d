import type { ReactNode } from 'react';
import { Logo } from '@/components/Logo';
import { Connection } from './Connection';
import { Services } from './Services';
import { ThemeSwitch } from './ThemeSwitch';
import './header.css';

interface HeaderProps {
  navigation: ReactNode;
  /** Whose page it is, where that matters. */
  session?: ReactNode;
}

export function Header({ navigation, session }: HeaderProps) {
  return (
    <header className="header">
      <div className="header-inner">
        <div className="brand">
          <Logo />
          <span className="brand-name">Undertone</span>
        </div>
        {navigation}
        <Connection />
        <Services />
        <ThemeSwitch />
        {session}
      </div>
    </header>
  );
}
