/** What a kind of store is to the rest of the program: its addresses, its flags, and how it is opened. */
import type { ObjectStore } from "../../core-as/host/repo/objects.ts";
import type { StoreFlag, StoreFlags } from "./flags.ts";

/** What a store is opened for. */
export interface StoreUse {
  /** Another program filled it, and it is only read. */
  readonly foreignKeys?: boolean;
  /** Receives a line about requests that had to be made again. */
  readonly warn?: (line: string) => void;
}

/** One entry of the registry. */
export interface StoreKind {
  /** What its addresses begin with, before the colon; absent for the one kind whose addresses are paths. */
  readonly scheme?: string;
  /** How an address is written, for help and refusals: `s3://bucket/prefix`. */
  readonly form: string;
  /** Flags that are about this kind and no other. */
  readonly flags: readonly StoreFlag[];
  /** @returns `undefined` when the address is not written as {@link form} says. */
  find(address: string): NamedStore | undefined;
}

/** The store that an address names. Nothing was asked of it yet. */
export interface NamedStore {
  open(flags: StoreFlags, use: StoreUse): Promise<ObjectStore>;
  /** One name for one store, however it was addressed: by this the host remembers it. */
  identity(flags: StoreFlags): Promise<string>;
  /** The other machine that the data reaches over an unencrypted wire; `undefined` when there is none. */
  exposedHost(flags: StoreFlags): string | undefined;
}
