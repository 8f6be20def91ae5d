import type { ReactNode } from 'react';
import { Dialog } from './Dialog';

interface ConfirmDialogProps {
  title: string;
  /** What will be, and whether it can be undone. */
  text: ReactNode;
  /** What the button does, in words. */
  action: string;
  isPending: boolean;
  error: Error | null;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be undone. The focus begins on the way out. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const { title, text, action, isPending, error, onConfirm, onClose } = props;
  return (
    <Dialog title={title} description={text} onClose={onClose}>
      {error !== null && (
        <p className="field-error" role="alert">
          {error.message}
        </p>
      )}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          className="button button-danger"
          disabled={isPending}
          onClick={onConfirm}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}
