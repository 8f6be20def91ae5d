import { useSearchParams } from 'react-router';

/** Which letters are shown, kept in the address: those of a reason, and the one that is open. */
export function useLetterSearch() {
  const [search, setSearch] = useSearchParams();
  const set = (name: string, value: string | null) =>
    setSearch(
      (before) => {
        if (value === null) before.delete(name);
        else before.set(name, value);
        return before;
      },
      { preventScrollReset: true },
    );
  return {
    reason: search.get('letters') || null,
    openId: search.get('letter') || null,
    setReason: (reason: string | null) => set('letters', reason),
    open: (id: string) => set('letter', id),
    close: () => set('letter', null),
  };
}
