const PATHS = {
  positive: 'M3 11.5 8 5l5 6.5',
  neutral: 'M3 8h10',
  negative: 'M3 4.5 8 11l5-6.5',
  check: 'm3 8.5 3.2 3.2L13 5',
  cross: 'm4 4 8 8m0-8-8 8',
  alert: 'M8 2.2 14.3 13H1.7L8 2.2Zm0 4.1v3.2m0 1.6v.4',
  pause: 'M5.5 3.5v9m5-9v9',
  play: 'M5 3.2 12.4 8 5 12.8Z',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9Zm3.4-1.1 3.4 3.4',
  system: 'M2.5 3h11v7.5h-11ZM6 13.5h4M8 10.5v3',
  light:
    'M8 10.7a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4ZM8 1v1.4m0 11.2V15M1 8h1.4m11.2 0H15M3 3l1 1m8 8 1 1m0-10-1 1m-8 8-1 1',
  dark: 'M13.2 9.6A5.7 5.7 0 0 1 6.4 2.8a5.7 5.7 0 1 0 6.8 6.8Z',
} as const;

export type IconName = keyof typeof PATHS;

/** A line drawing in the colour of the text beside it, which says the same in words. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
