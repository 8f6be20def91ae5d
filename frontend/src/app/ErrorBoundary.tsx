import { Component, type ReactNode } from 'react';

/** A fault of our own should leave a sentence and a way out, not a white page. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <main className="crashed">
        <h1>Undertone stopped</h1>
        <p>Something in this page failed. What has been collected is safe on the server.</p>
        <button type="button" className="button" onClick={() => window.location.reload()}>
          Reload the page
        </button>
      </main>
    );
  }
}
