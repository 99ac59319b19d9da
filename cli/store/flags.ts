/** The flags that say how a store is reached, of all kinds: the command tree and the registry read the same list. */
import { S3_FLAGS, type S3Flags } from "./s3/flags.ts";

/** A flag of one kind of store, as the command line has it. */
export interface StoreFlag {
  /** Its name among the parsed flags. */
  readonly key: keyof StoreFlags;
  /** As it is typed, with the dashes. */
  readonly flag: string;
  /** What its value is called in the help; absent of a flag that is only there or not. */
  readonly value?: string;
  readonly text: string;
}

/** What may be said of a store beside its address. A folder has no flags. */
export type StoreFlags = S3Flags;

export const STORE_FLAGS: readonly StoreFlag[] = [...S3_FLAGS];

/** The flags about the second store of a command: `--to-endpoint` is to it what `--endpoint` is to the first. */
export type OtherStoreFlags = {
  readonly [Key in keyof StoreFlags as `to${Capitalize<Key>}`]: StoreFlags[Key];
};

/** The flags of the second store by the names of the first one's. */
export function ofOtherStore(flags: OtherStoreFlags): StoreFlags {
  return Object.fromEntries(STORE_FLAGS.map(({ key }) => {
    const other = `to${key[0]!.toUpperCase()}${key.slice(1)}` as keyof OtherStoreFlags;
    return [key, flags[other]];
  }));
}
