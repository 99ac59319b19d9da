/** The endpoint that a profile of the AWS tools names, in the shared configuration file. */
import { isAbsent, isDenied } from "../../deno_errors.ts";
import { translated } from "../../io/translate.ts";

/** The value of a variable; `undefined` where it is unset, empty, or may not be read. */
export type Variables = (name: string) => string | undefined;

/** The text of a file; `undefined` where there is none, or it may not be read: the SDK goes without it then, too. */
export type ReadText = (path: string) => string | undefined;

const readFile: ReadText = (path) => {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    if (isAbsent(cause) || isDenied(cause)) return undefined;
    throw translated({ operation: "read file", path }, cause);
  }
};

/** Settings of a section by their names; those below a setting without a value, by both names. */
type Section = ReadonlyMap<string, string>;

/**
 * The endpoint of a profile: that of S3 in the section of services which the profile names, or else its own.
 *
 * @param profile The one that a flag names; the environment's by default.
 * @returns with where it is written; `undefined` when the profile names none, or says that none counts.
 */
export function endpointOfProfile(
  profile: string | undefined,
  variables: Variables,
  read: ReadText = readFile,
): { readonly endpoint: string; readonly from: string } | undefined {
  const path = configPath(variables);
  const text = path === undefined ? undefined : read(path);
  if (text === undefined) return undefined;
  const sections = parse(text);
  const name = profile ?? variables("AWS_PROFILE") ?? "default";
  const own = sections.get(`profile ${name}`) ?? (name === "default" ? sections.get("default") : undefined);
  if (own === undefined || own.get("ignore_configured_endpoint_urls")?.toLowerCase() === "true") {
    return undefined;
  }
  const services = sections.get(`services ${own.get("services") ?? ""}`);
  const endpoint = services?.get("s3.endpoint_url") ?? own.get("endpoint_url");
  return endpoint === undefined
    ? undefined
    : { endpoint, from: `endpoint_url of profile ${name} in ${path}` };
}

function configPath(variables: Variables): string | undefined {
  const named = variables("AWS_CONFIG_FILE");
  if (named !== undefined) return named;
  const home = variables("HOME");
  return home === undefined ? undefined : `${home}/.aws/config`;
}

/** As the AWS tools read it: sections in brackets, `name = value`, settings below another one are indented. */
function parse(text: string): Map<string, Section> {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  let above: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(?:[#;]|$)/.test(line)) continue;
    const [, title] = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line) ?? [];
    if (title !== undefined) {
      const name = title.replace(/\s+/g, " ").replaceAll(/["']/g, "");
      section = sections.get(name) ?? new Map();
      sections.set(name, section);
      above = undefined;
      continue;
    }
    const [, indent = "", key, value = ""] = /^(\s*)([^=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || section === undefined) continue;
    const isBelow = indent !== "" && above !== undefined;
    const plain = value.replace(/\s[#;].*$/, "");
    if (!isBelow) above = plain === "" ? key : undefined;
    section.set(isBelow ? `${above}.${key}` : key, plain);
  }
  return sections;
}
