/** The snapshots of a repository, newest first; choosing one opens it as a disk. */
import { formatSize, plural } from "../../../core-as/host/units.ts";
import type { SnapshotFacts } from "../../shared/protocol.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";
import { timeWords } from "../model/words.ts";

const SHOWN = 2000;

export function Snapshots({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const { repository, opened } = state;
  if (!repository) return null;
  const { label, snapshots, chunkBytes } = repository;
  const damaged = snapshots.filter(({ damage }) => damage !== undefined).length;
  return (
    <details class="snapshots" data-testid="snapshots" open={!opened}>
      <summary>
        <strong>{label}</strong> {plural(snapshots.length, "snapshot")}, chunks of {formatSize(chunkBytes)}
        {damaged > 0 && <b class="bad">✗ {damaged} damaged</b>}
      </summary>
      {snapshots.length === 0
        ? <p>There is no snapshot in it yet.</p>
        : (
          <div class="scroll" tabIndex={0} role="group" aria-label="Table of snapshots">
            <table>
              <caption>Choose one to look at it as a disk.</caption>
              <thead>
                <tr>
                  <th scope="col">Taken</th>
                  <th scope="col">Disk</th>
                  <th scope="col" class="number">Size</th>
                  <th scope="col" class="number">Chunks</th>
                  <th scope="col" class="number">New</th>
                  <th scope="col" class="number">Stored</th>
                  <th scope="col">Tags</th>
                  <th scope="col">Id</th>
                </tr>
              </thead>
              <tbody>
                {snapshots.slice(0, SHOWN).map((each) => (
                  <Row
                    key={each.id}
                    snapshot={each}
                    isShown={each.id === opened?.snapshot?.id}
                    show={() => inspector.opening.openSnapshot(each.id)}
                  />
                ))}
              </tbody>
            </table>
          </div>
        )}
      {snapshots.length > SHOWN && <p class="quiet">and {snapshots.length - SHOWN} older ones</p>}
    </details>
  );
}

function Row(
  { snapshot, isShown, show }: { snapshot: SnapshotFacts; isShown: boolean; show: () => void },
) {
  const { id, name, createdMs, damage, sizeBytes, chunks, newChunks, storedBytes, tags } = snapshot;
  if (damage !== undefined) {
    return (
      <tr class="damage">
        <th scope="row">✗ {timeWords(createdMs)}</th>
        <td>{name}</td>
        <td colSpan={5}>{damage}</td>
        <td class="number">{id}</td>
      </tr>
    );
  }
  return (
    <tr aria-current={isShown ? "true" : undefined}>
      <th scope="row">
        <button type="button" class="link" onClick={show}>{timeWords(createdMs)}</button>
      </th>
      <td>{name}</td>
      <td class="number">{formatSize(sizeBytes)}</td>
      <td class="number">{chunks.toLocaleString("en")}</td>
      <td class="number">{newChunks.toLocaleString("en")}</td>
      <td class="number">{formatSize(storedBytes)}</td>
      <td>{tags.join(", ")}</td>
      <td class="number">{id}</td>
    </tr>
  );
}
