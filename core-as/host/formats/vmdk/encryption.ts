/**
 * Whether a disk is encrypted by VMware, as its descriptor tells. The key is never in it: all there is to read is
 * ciphertext, which no look at the bytes can tell from data.
 *
 * Source: descriptors of encrypted disks quoted in public. vSphere writes `keyID`, `encryptionKeys` and the I/O filter
 * `vmwarevmcrypt`; Workstation and Fusion `encryptionKeys` alone, or keys that begin with `encryption`.
 *
 * This module is browser compatible.
 */

/** Keys of a descriptor, in lower case. */
type Values = ReadonlyMap<string, string>;

/** As VMware spells them. */
const SPELLED = new Map([["keyid", "keyID"], ["encryptionkeys", "encryptionKeys"]]);

/** What says that a disk is encrypted, as written there, or `undefined` when nothing does. */
export function encryptionOf(at: { header: Values; ddb: Values }): string | undefined {
  const filters = filtersOf(at.ddb).filter((name) => /crypt/i.test(name));
  const signs = [
    ...keysOf(at.header, /^(?:keyid|encryption.*)$/),
    ...keysOf(at.ddb, /^encryption.*$/).map((key) => `ddb.${key}`),
    ...filters.map((name) => `ddb.iofilters ${name}`),
  ];
  return signs.length === 0 ? undefined : signs.join(", ");
}

/** I/O filters that the disk is read and written through on its host, such as one that caches. */
export function filtersOf(ddb: Values): string[] {
  return (ddb.get("iofilters") ?? "").split(/[,;\s]+/).filter((name) => name !== "");
}

function keysOf(values: Values, pattern: RegExp): string[] {
  return [...values].filter(([key, value]) => pattern.test(key) && value !== "").map(([key]) => {
    return SPELLED.get(key) ?? key;
  });
}
