/**
 * What a name on the command line means: the registry of all kinds of places.
 *
 * A name with a colon before its first slash, or with a datastore in front, is never that of a file, whether there is
 * such a file or not: what a name means must not depend on what lies in the folder. `./` decides for a file. A further
 * kind is a file or a folder beside this one, and a line here.
 */
import { quoteWord, RegrainError, type Target } from "../../core-as/host/mod.ts";
import { schemeOf } from "../../core-as/host/place_name.ts";
import { type Elsewhere, elsewhereOf } from "./elsewhere.ts";
import { NOWHERE } from "./null.ts";
import { PATH } from "./path.ts";
import { STREAM } from "./pipe.ts";
import type { Need, Place, PlaceKind } from "./place.ts";
import { SNAPSHOT } from "./snapshot.ts";

const KINDS: readonly PlaceKind[] = [PATH, STREAM, SNAPSHOT, NOWHERE];

/**
 * Finds the place that a name means.
 *
 * @throws {RegrainError} `USAGE` where that is nothing which the argument can be, with what it can be.
 */
export function findPlace(name: string, need: Need): Place {
  const place = placeOf(name);
  if (place === undefined) throw refusedName(name, need);
  if (place.kind.can.some((ability) => need.anyOf.includes(ability))) return place;
  const { noun, instead } = place.kind;
  throw refusal(name, need, {
    message: `${name} means ${noun}, and ${need.argument} of regrain ${need.command} cannot be one`,
    instead: instead?.(need, name),
  });
}

/** Opens what a name means for writing, where that is no path: those are judged first. */
export function openPlaceTarget(name: string, disk: { readonly sizeBytes: number }): Target | undefined {
  return placeOf(name)?.openTarget?.(disk);
}

/** `undefined` for a name that means no place, and no file either. */
function placeOf(name: string): Place | undefined {
  const stream = STREAM.find(name);
  if (stream !== undefined) return stream;
  const scheme = schemeOf(name)?.scheme;
  const kind = scheme === undefined ? undefined : KINDS.find((each) => each.scheme === scheme);
  if (kind !== undefined) return kind.find(name);
  return elsewhereOf(name, ANY) === undefined ? PATH.find(name) : undefined;
}

const ANY: Need = { command: "", argument: "", anyOf: [] };

function refusedName(name: string, need: Need): RegrainError {
  const scheme = schemeOf(name)?.scheme ?? "";
  const meant = KINDS.find((kind) => kind.scheme === scheme.toLowerCase());
  if (meant !== undefined) {
    const inSmall = meant.scheme + name.slice(scheme.length);
    return refusal(name, need, {
      message: `${name} is not written as ${meant.form}, which means ${meant.noun}`,
      instead: meant.find(inSmall) === undefined ? meant.form : quoteWord(inSmall),
    });
  }
  const { noun, form, instead } = elsewhereOf(name, need) as Elsewhere;
  const written = form === undefined ? "" : ` (${form})`;
  return refusal(name, need, {
    message: `${name} means ${noun}${written}, which regrain ${need.command} does not work on`,
    instead,
  });
}

function refusal(
  name: string,
  need: Need,
  { message, instead }: { message: string; instead: string | undefined },
): RegrainError {
  const local = quoteWord(`./${name}`);
  const hints = [
    ...isThere(`./${name}`) ? [`${local} is the file of that name here`] : [],
    ...instead === undefined ? [] : [instead],
    `${need.argument} is ${formsOf(need)}`,
    ...isThere(`./${name}`) ? [] : [`a file of that name would be ${local}`],
  ];
  return new RegrainError("USAGE", message, { hint: hints.join("; ") });
}

/** How the argument may be written: `a path, - or repo:VM/DISK@latest`. */
function formsOf({ anyOf }: Need): string {
  const forms = KINDS.filter(({ can }) => can.some((ability) => anyOf.includes(ability))).map(({ form }) =>
    form
  );
  return forms.length === 1 ? forms[0]! : `${forms.slice(0, -1).join(", ")} or ${forms.at(-1)}`;
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    // Whatever keeps it from being looked at keeps it from being opened; then it is not offered first.
    if (error instanceof Error) return false;
    throw error;
  }
}
