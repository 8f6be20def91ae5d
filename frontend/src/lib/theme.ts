import { readSetting, writeSetting } from './storage';
import { createStore, useStore } from './store';

export const THEME_CHOICES = ['system', 'light', 'dark'] as const;
export type ThemeChoice = (typeof THEME_CHOICES)[number];
export type Theme = 'light' | 'dark';

const STORAGE_KEY = 'undertone.theme';

const systemPrefersDark = window.matchMedia('(prefers-color-scheme: dark)');

const choice = createStore<ThemeChoice>('system');
const theme = createStore<Theme>('light');

function apply(): void {
  const chosen = choice.get();
  const system: Theme = systemPrefersDark.matches ? 'dark' : 'light';
  const next = chosen === 'system' ? system : chosen;
  // The attribute comes before the store: who is told of the change reads colours from the page.
  document.documentElement.dataset.theme = next;
  theme.set(next);
}

/** Called once, before the first paint of the app. */
export function initTheme(): void {
  const stored = readSetting(STORAGE_KEY);
  choice.set(THEME_CHOICES.find((name) => name === stored) ?? 'system');
  systemPrefersDark.addEventListener('change', apply);
  apply();
}

export function chooseTheme(next: ThemeChoice): void {
  choice.set(next);
  writeSetting(STORAGE_KEY, next);
  apply();
}

export const useThemeChoice = (): ThemeChoice => useStore(choice);
export const useTheme = (): Theme => useStore(theme);
