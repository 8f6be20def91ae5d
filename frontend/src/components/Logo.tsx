/** A wave below a calm surface: the undertone. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M5 18c3.6 0 3.6-8 7.3-8s3.7 13 7.4 13 3.7-5 7.3-5" />
    </svg>
  );
}
