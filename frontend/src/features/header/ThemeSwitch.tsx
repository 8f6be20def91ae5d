import { Segmented } from '@/components/Segmented';
import { capitalize } from '@/lib/format';
import { chooseTheme, THEME_CHOICES, useThemeChoice } from '@/lib/theme';

const SEGMENTS = THEME_CHOICES.map((name) => ({
  value: name,
  label: capitalize(name),
  icon: name,
}));

export function ThemeSwitch() {
  const choice = useThemeChoice();
  return <Segmented legend="Theme" segments={SEGMENTS} value={choice} onChange={chooseTheme} />;
}
