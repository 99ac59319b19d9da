/**
 * Which file a name in a descriptor means.
 *
 * A name was right on the machine that wrote it. Here the folder has another path, or two datastores hold a disk of one
 * name, so all places where the file may be are looked at, and what is found is judged: by its content id, then by the
 * folders that the name goes through. The first that exists is not good enough: it may be another VM's disk.
 *
 * This module is browser compatible.
 */
import { boundedFiles } from "../bounds.ts";
import { quotePath } from "../command_line.ts";
import { type Fit, fitOf } from "./candidate.ts";
import type { Wanted } from "../formats/parent_hint.ts";
import { RegrainError } from "../errors.ts";
import type { Bounds, Files } from "../files.ts";
import {
  baseName,
  type Candidates,
  candidates,
  folderOf,
  foldName,
  isDeviceName,
  isWithin,
  joinPath,
  looseNames,
  type SearchOptions,
  sharedFolders,
} from "../names.ts";

/** Where names may lead, and what is there. */
export interface Surroundings {
  readonly files: Files;
  readonly names: SearchOptions;
  /** Receives one sentence about a name that was taken although it is not quite the one that was written. */
  warn?(sentence: string): void;
}

/** A name in a file. */
interface HeldName {
  readonly name: string;
  /** The file that holds the name. */
  readonly holder: string;
  readonly what: "extent" | "parent";
}

/** A name, and what is known of the file it means. */
interface Question extends HeldName {
  readonly wanted: Wanted;
  /** See {@link boundsOf}. */
  readonly bounds: Bounds | undefined;
}

/** What the flag risks. */
const ANYWHERE = "which follows every name wherever it leads, to devices and files of others too";

/** A file that may be the one. */
interface Found {
  readonly path: string;
  readonly real: string;
  /** `exact`: where the name itself points. `search`: in a folder that the user named. `beside`: with the holder. */
  readonly place: "exact" | "search" | "beside";
}

/**
 * The file that a name in `holder` means.
 *
 * @param wanted What tells the right one of several files of that name.
 * @throws {RegrainError} `OUTSIDE_FOLDER` when it could only be found where names must not lead, `AMBIGUOUS_NAME` when
 * several files fit, `NOT_FOUND`.
 */
export async function resolveName(
  name: string,
  holder: string,
  surroundings: Surroundings,
  what: "extent" | "parent",
  wanted: Wanted = {},
): Promise<string> {
  const bounds = await boundsOf({ name, holder, what }, surroundings);
  const question = { name, holder, what, wanted, bounds };
  const places = candidates(name, holder, surroundings.names);
  const exact = await existing(places, question, surroundings);
  if (exact.found.length > 0) return (await choose(exact.found, question, surroundings)).path;
  const loose = await looselyNamed(question, surroundings);
  if (loose.length > 0) {
    const { path } = await choose(loose, question, surroundings);
    surroundings.warn?.(
      `${holder}: the ${what} "${name}" is not there, ${path} is taken for it: they differ in case, in slashes or in ` +
        "how accents are written only",
    );
    return path;
  }
  throw exact.escaped ?? exact.itself ?? await notThere(question, places, surroundings);
}

/**
 * What a file must be to be opened for a name: in the folder of the one that holds the name, or in one that the user
 * named, whatever links lead there.
 *
 * @returns `undefined` where the user lets names lead anywhere.
 */
export async function boundsOf(
  held: HeldName,
  { files, names }: Pick<Surroundings, "files" | "names">,
): Promise<Bounds | undefined> {
  if (names.allowOutside) return undefined;
  const folders = await Promise.all(
    [folderOf(held.holder), ...names.search].map((each) => files.realPath(each)),
  );
  return {
    folders,
    holder: held.holder,
    refused: ({ reason, real }) => outsideFolder(held, { path: real, reason }),
  };
}

/**
 * Those of the places where a file is.
 *
 * @returns also why one was passed over: `escaped` when it is a link out of the folder, `itself` when the name points
 * to the file that holds it.
 */
async function existing(
  { paths, exact, search }: Candidates,
  question: Question,
  { files }: Surroundings,
): Promise<{ found: Found[]; escaped: RegrainError | undefined; itself: RegrainError | undefined }> {
  const found: Found[] = [];
  let escaped: RegrainError | undefined;
  let itself: RegrainError | undefined;
  const holder = await files.realPath(question.holder);
  for (const path of paths) {
    if (!(await files.exists(path))) continue;
    const real = await files.realPath(path);
    // A linked clone may have the file name of its parent, which is in another folder. No disk is its own parent.
    if (question.what === "parent" && real === holder) {
      if (path === exact) itself = ownParent(question);
      continue;
    }
    if (found.some((other) => other.real === real)) continue;
    const { bounds } = question;
    if (bounds === undefined || bounds.folders.some((folder) => isWithin(real, folder))) {
      found.push({
        path,
        real,
        place: path === exact ? "exact" : search.includes(path) ? "search" : "beside",
      });
    } else escaped ??= bounds.refused({ reason: "is a link to another folder", real });
  }
  return { found, escaped, itself };
}

/** The one of several files that is meant. */
async function choose(
  found: readonly Found[],
  question: Question,
  { files }: Surroundings,
): Promise<Found> {
  const [only] = found;
  if (only && found.length === 1) return only;
  const fits = new Map<Found, Fit>();
  const { wanted, what, bounds } = question;
  for (const each of found) {
    fits.set(each, await fitOf(each.path, what, { wanted, files: boundedFiles(files, bounds) }));
  }
  const ofFit = (fit: Fit) => found.filter((each) => fits.get(each) === fit);
  const pool = [ofFit("match"), ofFit("unknown"), found].find((some) => some.length > 0)!;
  const said = pool.find(({ place }) => place === "exact");
  if (pool.length === 1 || said) return said ?? pool[0]!;
  const shared = pool.map(({ real }) => sharedFolders(question.name, real));
  const most = Math.max(...shared);
  const nearest = pool.filter((_, i) => shared[i] === most);
  if (nearest.length === 1) return nearest[0]!;
  const searched = nearest.filter(({ place }) => place === "search");
  if (searched.length === 1) return searched[0]!;
  throw ambiguous(question, nearest);
}

/**
 * Files whose names differ from the one that is looked for in case, or in which way the slashes lean. Folders are read
 * only when nothing has the very name.
 */
async function looselyNamed(question: Question, surroundings: Surroundings): Promise<Found[]> {
  const { files, names } = surroundings;
  const folder = folderOf(question.holder);
  const { last, below } = looseNames(question.name);
  if (last === "") return [];
  const places: { folder: string; place: Found["place"] }[] = [
    ...(below === undefined ? [] : [{ folder: joinPath(folder, below), place: "exact" as const }]),
    { folder, place: "beside" },
    ...names.search.map((searched) => ({ folder: searched, place: "search" as const })),
  ];
  const found: Found[] = [];
  for (const place of places) {
    const listed = await files.list(place.folder) ?? [];
    const same = listed.includes(last) ? [last] : listed.filter((each) => foldName(each) === foldName(last));
    const paths = same.map((each) => joinPath(place.folder, each));
    const search = place.place === "search" ? paths : [];
    const exact = place.place === "exact" ? paths[0] : undefined;
    const there = await existing({ paths, exact, search, outside: undefined }, question, surroundings);
    for (const each of there.found) if (!found.some(({ real }) => real === each.real)) found.push(each);
    if (there.found.length > 1) throw ambiguous(question, there.found);
  }
  return found;
}

/** The error for a name that leads nowhere; what it advises works on this machine. */
async function notThere(
  question: Question,
  { paths, outside }: Candidates,
  { files }: Surroundings,
): Promise<RegrainError> {
  const { name, holder, what } = question;
  const isOutside = outside !== undefined && outside !== joinPath(folderOf(holder), baseName(name));
  const isThere = outside !== undefined && await mayBeNamed(outside, holder, files);
  if (isDeviceName(name)) return aDevice(question, isThere);
  if (isThere) return outsideFolder(question, { path: outside, reason: "is in another folder" });
  const last = looseNames(name).last;
  const looked = paths.length === 0 ? "" : ` (looked at ${paths.join(", ")})`;
  const where = isOutside ? "is in another folder, and not here" : "is not there";
  return new RegrainError(
    isOutside ? "OUTSIDE_FOLDER" : "NOT_FOUND",
    `the ${what} "${name}" ${where}${looked}`,
    {
      path: holder,
      hint: await holdsName(folderOf(holder), last, files)
        ? "name the folder it is in with --search DIR"
        : `copy ${last === "" ? "it" : last} into ${
          folderOf(holder)
        }, or name the folder it is in with --search DIR`,
    },
  );
}

/** Whether a copy by that name would overwrite what is in the folder: another disk, or the one that names it. */
async function holdsName(folder: string, name: string, files: Files): Promise<boolean> {
  if (name === "") return false;
  return (await files.list(folder) ?? [name]).some((each) => foldName(each) === foldName(name));
}

/** Whether advice may name it: it is there, as far as this process may look, and is not the holder itself. */
async function mayBeNamed(path: string, holder: string, files: Files): Promise<boolean> {
  try {
    return await files.exists(path) && await files.realPath(path) !== await files.realPath(holder);
  } catch (error) {
    if (error instanceof RegrainError && error.code === "PERMISSION") return false;
    throw error;
  }
}

function aDevice({ name, holder, what }: Question, isHere: boolean): RegrainError {
  const message = `the ${what} "${name}" is a physical device of the machine that wrote the descriptor`;
  const instead = "name the device, or an image of it, in the place of this descriptor";
  if (!isHere) return new RegrainError("NOT_FOUND", message, { path: holder, hint: instead });
  return new RegrainError("OUTSIDE_FOLDER", `${message}, and is not followed`, {
    path: holder,
    hint: `if it is this machine's: --allow-outside, ${ANYWHERE}; else ${instead}`,
  });
}

function ownParent({ name, holder }: Question): RegrainError {
  return new RegrainError("CHAIN_CYCLE", `it names itself, "${name}", as its parent`, {
    path: holder,
    hint: "if its parent has the same file name: --search DIR names the folder it is in",
  });
}

/** @param at `path`: where it is, when it would be followed in a folder that the user names. */
function outsideFolder(
  { name, holder, what }: HeldName,
  at: { path: string | undefined; reason: string },
): RegrainError {
  const search = at.path === undefined ? "" : `--search ${quotePath(folderOf(at.path))}, or `;
  return new RegrainError("OUTSIDE_FOLDER", `the ${what} "${name}" ${at.reason} and is not followed`, {
    path: holder,
    hint: `if that is right: ${search}--allow-outside, ${ANYWHERE}`,
  });
}

function ambiguous({ name, holder, what, wanted }: Question, found: readonly Found[]): RegrainError {
  const paths = found.map(({ path }) => path);
  const folders = new Set(paths.map(folderOf));
  const why = wanted.cid === undefined ? "nothing tells which" : "neither content ids nor folders tell which";
  return new RegrainError("AMBIGUOUS_NAME", `the ${what} "${name}" may be ${paths.join(" or ")}: ${why}`, {
    path: holder,
    hint: folders.size > 1
      ? "give --search for the folder that is meant, and for no other"
      : `rename the one that is meant to ${baseName(looseNames(name).last)}`,
  });
}
