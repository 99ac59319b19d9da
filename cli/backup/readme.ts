/** The text that explains a repository to whoever finds it without this program. */
import type { RepositoryDescription } from "../../core-as/host/repo/mod.ts";

export const README_KEY = "README.txt";

export function readmeText({ encryption, chunkBytes }: RepositoryDescription): string {
  return encryption === "none" ? plainText(chunkBytes) : encryptedText();
}

const HEAD = `This is a backup repository of regrain: disks of virtual machines as snapshots.

repo.json            what the repository is
snaps/<disk>/<id>    one object a snapshot: its manifest. The newest has the greatest id.
vms/<vm>/<id>        which of them are one moment of a VM
chunks/ maps/        pieces of disks, and the lists of them; each is stored once, however many snapshots use it
copies/              second copies of repo.json and keys/: "regrain repo repair" puts back from them
active/ gc/          what is being done at the moment
holds/ damaged/ verify/  what must not be removed; what was found damaged; what was verified

Remove nothing by hand: what looks old may be part of the newest snapshot. "regrain prune" and "regrain gc" know.
`;

function plainText(chunkBytes: number): string {
  return `${HEAD}
Without regrain a disk is put together like this, with zstd, jq and coreutils:

${restoreScript(chunkBytes)}`;
}

function encryptedText(): string {
  return `${HEAD}
This repository is encrypted. An object is a nonce of 12 bytes and what AES-256-GCM makes of it; without a passphrase of
one of the slots in keys/ nobody reads it, and no one can help. There is no script for it: shells have no AES-GCM. Keep
regrain, and the Deno that runs it, where the passphrase is kept.
`;
}

/** A shell script that restores a snapshot of an unencrypted repository in a folder. */
export function restoreScript(chunkBytes: number): string {
  return `#!/bin/sh
# usage: sh restore.sh REPOSITORY MANIFEST IMAGE     (MANIFEST: one of REPOSITORY/snaps/*/*.json; IMAGE: a new file)
set -eu
repo=$1 manifest=$2 image=$3 chunk_bytes=${chunkBytes} index=0
test ! -e "$image"
truncate -s "$(jq .snapshot.sizeBytes "$manifest")" "$image"
name() { test "$2" = 0 && echo "$1" || echo "$1.$2"; }
jq -r '.snapshot.pages[] | if . == null then "zero" else "\\(.id) \\(.generation)" end' "$manifest" |
while read -r id generation; do
  if test "$id" = zero; then index=$((index + 1024)); continue; fi
  folder=$(printf %.2s "$id")
  # An entry has 40 bytes: flags, generation, two of nothing, size (4), id (32). Flags 1: there is a chunk.
  zstd -qdc "$repo/maps/$folder/$(name "$id" "$generation").zst" > "$image.chunk"
  test "$(sha256sum < "$image.chunk" | cut -c1-64)" = "$id"
  od -An -v -tx1 -w40 "$image.chunk" | tr -d ' ' > "$image.page"
  while read -r entry; do
    if test "$(printf %.2s "$entry")" = 01; then
      chunk=$(printf %s "$entry" | cut -c17-80)
      generation=$(printf %d "0x$(printf %s "$entry" | cut -c3-4)")
      folder=$(printf %.2s "$chunk")
      zstd -qdc "$repo/chunks/$folder/$(name "$chunk" "$generation").zst" > "$image.chunk"
      test "$(sha256sum < "$image.chunk" | cut -c1-64)" = "$chunk"
      dd if="$image.chunk" of="$image" bs="$chunk_bytes" seek="$index" conv=notrunc status=none
    fi
    index=$((index + 1))
  done < "$image.page"
done
rm -f "$image.page" "$image.chunk"
`;
}
