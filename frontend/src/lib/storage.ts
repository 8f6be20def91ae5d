/** Storage can be absent, full or forbidden (private windows, policies). A setting is then simply not remembered. */
export function readSetting(key: string): string | null {
  try {
    return window.localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function writeSetting(key: string, value: string): void {
  try {
    window.localStorage.setItem(key, value);
  } catch {
    // The choice still holds until the page is closed.
  }
}
