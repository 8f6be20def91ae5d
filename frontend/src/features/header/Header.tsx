import { Logo } from '@/components/Logo';
import { Connection } from './Connection';
import { Services } from './Services';
import { ThemeSwitch } from './ThemeSwitch';
import './header.css';

export function Header() {
  return (
    <header className="header">
      <div className="header-inner">
        <div className="brand">
          <Logo />
          <h1>Undertone</h1>
        </div>
        <Connection />
        <Services />
        <ThemeSwitch />
      </div>
    </header>
  );
}
