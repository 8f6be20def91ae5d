import { useId } from 'react';
import { NavLink } from 'react-router';
import { Icon } from '@/components/Icon';
import { PAGES, type PageEntry } from './pages';
import './navigation.css';

/** In the header where there is room, else at the lower edge, within reach of a thumb. */
export function Navigation() {
  return (
    <nav className="navigation" aria-label="Pages">
      <ul>
        {PAGES.map((page) => (
          <NavigationItem key={page.path} {...page} />
        ))}
      </ul>
    </nav>
  );
}

function NavigationItem({ path, name, icon, Badge }: PageEntry) {
  const badgeId = useId();
  return (
    <li>
      <NavLink
        to={path}
        end
        className="navigation-link"
        {...(Badge && { 'aria-describedby': badgeId })}
      >
        <Icon name={icon} />
        {name}
      </NavLink>
      {Badge && <Badge id={badgeId} />}
    </li>
  );
}
