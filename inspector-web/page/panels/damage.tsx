/** What is wrong or odd in the files; each finding leads to its bytes. */
import { formatOffset } from "../../shared/units.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";

const SIGNS = { damage: "✗ damage", doubt: "? doubt", note: "· note" } as const;
const SHOWN = 500;

export function Damage({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const { findings, opened } = state;
  const isSnapshot = opened?.snapshot !== undefined;
  if (!findings) return null;
  const { damage, doubt, note } = findings.counts;
  const rest = damage + doubt + note - Math.min(SHOWN, findings.findings.length);
  return (
    <section data-testid="damage" aria-labelledby="damage-title">
      <h2 id="damage-title">Health</h2>
      {findings.findings.length === 0
        ? <p>{state.scan?.finished ? "✓ No damage found." : "Nothing found so far."}</p>
        : (
          <div class="scroll" tabIndex={0} role="group" aria-label="Table of findings">
            <table>
              <caption>{damage} damage, {doubt} doubts, {note} notes</caption>
              <thead>
                <tr>
                  <th scope="col">What</th>
                  <th scope="col">Where</th>
                  <th scope="col">Finding</th>
                </tr>
              </thead>
              <tbody>
                {findings.findings.slice(0, SHOWN).map(({ severity, file, offsetBytes, message }) => (
                  <tr key={`${file} ${offsetBytes} ${message}`} class={severity}>
                    <th scope="row">{SIGNS[severity]}</th>
                    <td>
                      {offsetBytes === undefined ? file : (
                        <button
                          type="button"
                          class="link"
                          onClick={() =>
                            inspector.navigation.showBytes(isSnapshot ? "disk" : { file }, offsetBytes)}
                        >
                          {isSnapshot ? "" : `${file} `}
                          {formatOffset(offsetBytes)}
                        </button>
                      )}
                    </td>
                    <td>{message}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      {rest > 0 && <p class="quiet">and {rest.toLocaleString("en")} more</p>}
    </section>
  );
}
