/** The way in: what one sees before a file is open, and the picker that every way in ends at. */

const FORMATS = "VMDK deltas and disks (COWD, hosted sparse, streamOptimized, SESparse, flat), raw images, " +
  "or map.json from regrain map --json";

/** @param pick Opens the picker. */
export function DropZone({ pick, opening }: { pick: () => void; opening: boolean }) {
  return (
    <section class="drop" data-testid="drop" aria-labelledby="drop-title">
      <h1 id="drop-title">See what a delta will change</h1>
      <p class="lead">
        {opening
          ? "Opening…"
          : "Drop a snapshot delta here, with its descriptor and its base if you have them."}
      </p>
      <p>
        <button type="button" class="primary" onClick={pick} disabled={opening}>Choose files…</button>
      </p>
      <p class="quiet">{FORMATS}.</p>
      <p class="trust">
        Nothing leaves this machine: the page's policy (<code>default-src 'none'</code>) forbids it. Files are
        only read, never written.
      </p>
    </section>
  );
}
