/**
 * Names of what no command reads or writes: they are known, so that a name of one is never taken for that of a file,
 * and so that its refusal says what does the job meanwhile.
 */
import { quoteWord } from "../../core-as/host/command_line.ts";
import { datastorePath, fromHome, isBelowHome, schemeOf } from "../../core-as/host/place_name.ts";
import type { Need } from "./place.ts";

/** Something that a name means and that is not here. */
export interface Elsewhere {
  /** Behind `means`. */
  readonly noun: string;
  /** How such a name is written, where it is known. */
  readonly form?: string;
  /** What to do instead. */
  readonly instead?: string | undefined;
}

const COPY = "copy the files of the disk here, and name them: scp 'ESX:/vmfs/volumes/DATASTORE/VM/*.vmdk' .";

const nbd = (form: string) => (name: string): Elsewhere => ({
  noun: "an NBD export",
  form,
  instead: `touch vm.view; nbdfuse vm.view ${quoteWord(nbdAddress(name))} & shows it as the file vm.view`,
});

/** An export as libnbd takes it: with the scheme in small letters, and not in qemu's older words. */
function nbdAddress(name: string): string {
  const [, socket, export1 = ""] = /^nbd:unix:([^:]+)(?::exportname=(.*))?$/i.exec(name) ?? [];
  if (socket !== undefined) return `nbd+unix:///${export1}?socket=${socket}`;
  const [, server, export2 = ""] = /^nbd:([^/:]+:\d+)(?::exportname=(.*))?$/i.exec(name) ?? [];
  if (server !== undefined) return `nbd://${server}/${export2}`;
  return name.replace(/^[^:]+/, (scheme) => scheme.toLowerCase());
}

/** By the scheme in small letters. */
const SCHEMES: Record<string, (name: string, need: Need) => Elsewhere> = {
  nbd: nbd("nbd://HOST/EXPORT"),
  nbds: nbd("nbds://HOST/EXPORT"),
  "nbd+unix": nbd("nbd+unix:///EXPORT?socket=PATH"),
  "nbds+unix": nbd("nbds+unix:///EXPORT?socket=PATH"),
  vsphere: () => ({ noun: "a disk of vSphere", form: "vsphere://HOST/VM", instead: COPY }),
  s3: (_, { anyOf }) => ({
    noun: "a repository, and no disk",
    ...anyOf.includes("read") ? { instead: "repo:VM/DISK@latest names a disk in it, with --repo" } : {},
  }),
  rbd: (name) => ({ noun: "an image in Ceph", form: "rbd:POOL/IMAGE", instead: mapped(name) }),
  iscsi: () => ({
    noun: "an iSCSI disk",
    instead: "iscsiadm logs in, and /dev/disk/by-path names the device",
  }),
  json: () => ({ noun: "an image as only QEMU names it", instead: "name the file or device in it" }),
  ssh: (name, need) => {
    const [, host = "", path = ""] = /^ssh:\/\/([^/]+)(\/.+)$/i.exec(name) ?? [];
    return { noun: "a file behind ssh", instead: overSsh({ host, path, name: `${host}:${path}` }, need) };
  },
  file: (name) => ({ noun: "a file by its address", instead: pathOf(name) }),
  http: (name) => ({ noun: "a page of a server", instead: `curl -fo FILE ${quoteWord(name)} fetches it` }),
  https: (name) => ({ noun: "a page of a server", instead: `curl -fo FILE ${quoteWord(name)} fetches it` }),
};

/** `undefined` for the name of a file. */
export function elsewhereOf(name: string, need: Need): Elsewhere | undefined {
  if (datastorePath(name) !== undefined) {
    return { noun: "a path in a datastore", form: "[DATASTORE] VM/DISK.vmdk", instead: fromDatastore(name) };
  }
  if (isBelowHome(name)) {
    const instead = `the shell makes a path of ~ where it stands without quotes, at the start of a word: ${
      fromHome(name)
    }`;
    return { noun: "a path below a home folder, as a shell writes it", instead };
  }
  const { scheme, rest = "" } = schemeOf(name, { drives: Deno.build.os === "windows" }) ?? {};
  if (scheme === undefined) return undefined;
  const known = scheme.toLowerCase();
  if (Object.hasOwn(SCHEMES, known)) return SCHEMES[known]!(name, need);
  if (rest.startsWith("//")) return { noun: `something behind ${scheme}://, which regrain does not know` };
  return {
    noun: `a path on another machine, ${scheme}`,
    form: "HOST:PATH",
    instead: overSsh({ host: scheme, path: rest, name }, need),
  };
}

/** The image has to be a device of this machine first. */
function mapped(name: string): string {
  const image = name.replace(/^rbd:(?:\/\/)?/i, "").replace(/[:?].*$/, "");
  return `rbd map ${quoteWord(image)} makes it the device ${quoteWord(`/dev/rbd/${image}`)}`;
}

function pathOf(name: string): string | undefined {
  const path = name.replace(/^file:(?:\/\/(?=\/))?/i, "");
  return path.startsWith("/") ? `without the scheme: ${quoteWord(path)}` : undefined;
}

function fromDatastore(name: string): string {
  const { datastore, path } = datastorePath(name)!;
  const remote = `ESX:${quoteWord(`/vmfs/volumes/${datastore}/${path}`)}`;
  return `copy the files of the disk here, and name them: scp ${quoteWord(remote)} .`;
}

function overSsh(
  { host, path, name }: { host: string; path: string; name: string },
  { anyOf, command }: Need,
): string | undefined {
  // A host that ssh would take for a flag.
  if (host.startsWith("-") || path === "") return undefined;
  const there = (words: string) => `ssh ${quoteWord(host)} ${quoteWord(words)}`;
  const copy = `dd if=${quoteWord(path)} bs=4M`;
  if (anyOf.includes("receive") && anyOf.includes("delta")) {
    return `${there(`cat ${quoteWord(path)}`)} | regrain ${command} - TARGET`;
  }
  if (anyOf.includes("receive")) return `--from-command ${quoteWord(there(copy))} reads it`;
  if (anyOf.includes("send")) return `TARGET - and | ${there(`dd of=${quoteWord(path)} bs=4M`)} writes it`;
  if (anyOf.includes("write")) return "run regrain on that machine";
  return `scp ${quoteWord(name)} . copies it here`;
}
