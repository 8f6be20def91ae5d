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
  live: 'M1.5 8.5h2.6l2-5 3.4 9.5 2-4.5h3',
  gauge: 'M2.6 12.5a6.2 6.2 0 1 1 10.8 0M8 9.5l3-3.6',
  try: 'M3 3.5h10v7H8l-3 2.8v-2.8H3ZM5.5 6h5m-5 2h3',
  link: 'M6.7 9.3 12.8 3.2m-4-.2h4.2v4.2M11.5 9.5V13h-8.500V5H7',
  close: 'm4 4 8 8m0-8-8 8',
  copy: 'M5.5 5.500h8v8h-8ZM10.5 5.500v-3h-8v8h3',
  filter: 'M2.5 4h11M4.500 8h7M6.5 12h3',
  download: 'M8 2.5v7.300m-3-3 3 3 3-3M3 13.200h10',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  edit: 'm3 13 .6-2.9 7-7 2.3 2.3-7 7Z',
  trash: 'M3 4.500h10M6 4.500V3h4v1.500M4.5 4.5 5 13h6l.5-8.5',
  bell: 'M8 2.200a3.8 3.8 0 0 1 3.8 3.800c0 3.5 1.2 4.5 1.2 4.500H3s1.2-1 1.2-4.500A3.8 3.8 0 0 1 8 2.200Zm-1.3 11h2.6',
  clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Zm0-9.500V8l2.3 1.5',
  up: 'M8 13V3.500m-4 4 4-4 4 4',
  down: 'M8 3v9.500m4-4-4 4-4-4',
  info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Zm0-6.500V11m0-6v.4',
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
