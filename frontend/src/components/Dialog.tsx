import * as Radix from '@radix-ui/react-dialog';
import { type ReactNode, useState } from 'react';
import { Icon } from './Icon';
import './dialog.css';

interface DialogProps {
  title: ReactNode;
  /** What is asked or shown, in one sentence. */
  description?: ReactNode;
  /** `side`: as high as the window, at its right edge, for much to read. */
  shape?: 'middle' | 'side';
  onClose: () => void;
  children?: ReactNode;
}

/** A dialog that is open while it is rendered. Escape, the cross and a click beside it close it. */
export function Dialog({ title, description, shape = 'middle', onClose, children }: DialogProps) {
  // It has no trigger to which Radix could give the focus back: whoever had it gets it.
  const [opener] = useState(() => document.activeElement);
  return (
    <Radix.Root open onOpenChange={(isOpen) => isOpen || onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="dialog-overlay" />
        <Radix.Content
          className={`dialog dialog-${shape}`}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            giveFocusBack(opener);
          }}
          {...(description === undefined && { 'aria-describedby': undefined })}
        >
          <div className="dialog-head">
            <Radix.Title className="dialog-title">{title}</Radix.Title>
            <Radix.Close className="icon-button" aria-label="Close">
              <Icon name="close" />
            </Radix.Close>
          </div>
          {description !== undefined && (
            <Radix.Description className="dialog-description">{description}</Radix.Description>
          )}
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** To the element, or where it is gone by now to the page. */
function giveFocusBack(element: Element | null): void {
  const isThere =
    element instanceof HTMLElement && element.isConnected && element !== document.body;
  (isThere ? element : document.getElementById('main'))?.focus({ preventScroll: true });
}
