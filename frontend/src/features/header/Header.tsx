import type { ReactNode } from 'react';
import { Logo } from '@/components/Logo';
import { Connection } from './Connection';
import { Services } from './Services';
import { ThemeSwitch } from './ThemeSwitch';
import './header.css';

export function Header({ navigation }: { navigation: ReactNode }) {
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
      </div>
    </header>
  );
}
