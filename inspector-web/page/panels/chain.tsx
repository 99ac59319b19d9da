/** The links one upon the other, newest first, and the one that decides about the sector under the cursor. */
import { useEffect, useState } from "preact/hooks";
import { formatSize } from "../../../core-as/host/units.ts";
import { hexOf, linkColour, PALETTES, type ThemeName } from "../../shared/palette.ts";
import type { SectorFacts } from "../../shared/protocol.ts";
import type { Inspector } from "../actions/inspector.ts";
import { sectorWords } from "../model/sector_words.ts";
import type { PageState } from "../model/store.ts";
import { roleOf } from "../model/words.ts";

export function Chain(
  { state, inspector, theme }: { state: PageState; inspector: Inspector; theme: ThemeName },
) {
  const { opened, cursorSector } = state;
  const [owner, setOwner] = useState<SectorFacts>();
  useEffect(() => {
    let isCurrent = true;
    inspector.client.ask({ type: "describe", view: "merged", sector: cursorSector }).then(
      (facts) => isCurrent && setOwner(facts),
      (error) => isCurrent && inspector.fail(error),
    );
    return () => {
      isCurrent = false;
    };
  }, [cursorSector, opened]);
  const colourByLink = () => {
    inspector.navigation.choose("merged");
    inspector.store.set({ byOwner: true, tab: "map" });
  };
  return (
    <section data-testid="chain" aria-labelledby="chain-title">
      <h2 id="chain-title">Chain</h2>
      <p>
        {opened?.isWhole
          ? "The chain reaches its base: every sector is known."
          : "The base is missing: what no link holds is not known."}
      </p>
      <ol class="chain">
        {opened?.links.map((link, i) => (
          <li
            key={link.name}
            class={owner?.linkIndex === i ? "here" : undefined}
            style={{ borderLeftColor: hexOf(linkColour(PALETTES[theme], i)) }}
          >
            <strong>{link.name}</strong> {roleOf(link, i)}, {link.format}, {formatSize(link.capacityBytes)}
            {owner?.linkIndex === i && <em>owns sector {owner.sector}</em>}
            <span class="quiet">
              {link.files.map(({ name, sizeBytes }) => `${name} ${formatSize(sizeBytes)}`).join(", ")}
            </span>
          </li>
        ))}
      </ol>
      {owner && <p aria-live="polite">{sectorWords(owner)}</p>}
      {(opened?.links.length ?? 0) > 1 && (
        <p class="toolbar">
          <button type="button" onClick={colourByLink}>Colour the map by link</button>
        </p>
      )}
    </section>
  );
}
