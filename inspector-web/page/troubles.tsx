/** What went wrong, until it is dismissed. */
import type { Inspector } from "./actions/inspector.ts";
import type { PageState } from "./model/store.ts";

export function Troubles({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const { troubles, warning } = state;
  return (
    <div role="alert">
      {warning !== undefined && (
        <div class="warning">
          <p>{warning}</p>
          <button type="button" onClick={() => inspector.store.set({ warning: undefined })}>Dismiss</button>
        </div>
      )}
      {troubles.length > 0 && (
        <div class="error" data-testid="error">
          {troubles.map(({ code, message, hint }) => (
            <p key={message}>
              <code>{code}</code> {message} {hint !== undefined && <span>hint: {hint}</span>}
            </p>
          ))}
          <button type="button" onClick={() => inspector.store.set({ troubles: [] })}>Dismiss</button>
        </div>
      )}
    </div>
  );
}
