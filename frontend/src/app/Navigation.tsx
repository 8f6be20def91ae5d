import { NavLink } from 'react-router';
import { Icon } from '@/components/Icon';
import { PAGES } from './pages';
import './navigation.css';

/** In the header where there is room, else at the lower edge, within reach of a thumb. */
export function Navigation() {
  return (
    <nav className="navigation" aria-label="Pages">
      <ul>
        {PAGES.map(({ path, name, icon }) => (
          <li key={path}>
            <NavLink to={path} end className="navigation-link">
              <Icon name={icon} />
              {name}
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
  );
}
