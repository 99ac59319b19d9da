/** The way in: what one sees before a file is open, and the picker that every way in ends at. */

const FORMATS = "VMDK deltas and disks (COWD, hosted sparse, streamOptimized, SESparse, flat), raw images, " +
  "or map.json from regrain map --json";

/** @param pick Opens the picker of files, `pickFolder` that of folders. */
export function DropZone(
  { pick, pickFolder, opening }: { pick: () => void; pickFolder: () => void; opening: boolean },
) {
  return (
    <section class="drop" data-testid="drop" aria-labelledby="drop-title">
      <h1 id="drop-title">See what a delta will change</h1>
      <p class="lead">
        {opening
          ? "Opening…"
          : "Drop a snapshot delta here, with its descriptor and its base if you have them."}
      </p>
      <p>
        <button type="button" class="primary" onClick={pick} disabled={opening}>Choose files…</button>{" "}
        <button type="button" onClick={pickFolder} disabled={opening}>Choose a backup repository…</button>
      </p>
      <p class="quiet">{FORMATS}; or the folder of a repository that regrain backup made.</p>
      <p class="trust">
        Nothing leaves this machine: the page's policy (<code>default-src 'none'</code>) forbids it. Files are
        only read, never written.
      </p>
    </section>
  );
}
