/** The environment of this process. */

/** The value of a variable; `undefined` where it is unset, or Deno may not read it: then there is none. */
export function variable(name: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
  return Deno.env.get(name);
}
