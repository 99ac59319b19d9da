/** Which partition changes by how much. */
import { formatSize } from "../../../core-as/host/units.ts";
import { formatOffset } from "../../shared/units.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";
import { areaNames, changedShare, isDelta } from "../model/words.ts";

export function Partitions({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const { areas, opened } = state;
  if (!areas) return null;
  const names = areaNames(areas.areas);
  // A whole disk is all data or zeros: only a delta says what changes.
  const hasChanges = opened !== undefined && isDelta(opened, state.view);
  const isDamaged = areas.areas.some(({ damagedBytes }) => damagedBytes > 0);
  const show = (startBytes: number, lengthBytes: number) => {
    inspector.navigation.showTab("map");
    inspector.store.set({ cursorSector: startBytes / 512, hexOffsetBytes: startBytes });
    inspector.map?.zoomTo(startBytes / 512, lengthBytes / 512);
  };
  return (
    <section data-testid="partitions" aria-labelledby="partitions-title">
      <h2 id="partitions-title">Partitions</h2>
      <div class="scroll" tabIndex={0} role="group" aria-label="Table of partitions">
        <table>
          <caption>
            Partition table: {areas.scheme}.{hasChanges && " Changed: data and zeros in the disk shown."}
          </caption>
          <thead>
            <tr>
              <th scope="col">Part</th>
              <th scope="col">Type</th>
              <th scope="col">File system</th>
              <th scope="col" class="number">Start</th>
              <th scope="col" class="number">Size</th>
              <th scope="col" class="number">Data</th>
              <th scope="col" class="number">Zeros</th>
              {isDamaged && <th scope="col" class="number">Damaged</th>}
              {hasChanges && <th scope="col" class="number">Changed</th>}
            </tr>
          </thead>
          <tbody>
            {areas.areas.map((area, i) => (
              <tr key={area.startBytes}>
                <th scope="row">
                  <button type="button" class="link" onClick={() => show(area.startBytes, area.lengthBytes)}>
                    {names[i]}
                  </button>
                </th>
                <td>{area.type}</td>
                <td>{[area.fileSystem, area.fileSystemLabel].filter(Boolean).join(" ")}</td>
                <td class="number">{formatOffset(area.startBytes)}</td>
                <td class="number">{formatSize(area.lengthBytes)}</td>
                <td class="number">{formatSize(area.dataBytes)}</td>
                <td class="number">{formatSize(area.zeroBytes)}</td>
                {isDamaged && <td class="number">{formatSize(area.damagedBytes)}</td>}
                {hasChanges && (
                  <td class="number">
                    <meter
                      aria-hidden="true"
                      max={area.lengthBytes}
                      value={area.dataBytes + area.zeroBytes}
                    />{" "}
                    {changedShare(area)}
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {areas.problems.map((problem) => <p key={problem} class="remark">{problem}</p>)}
    </section>
  );
}
