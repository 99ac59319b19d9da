/** The rules of the protocol, each broken by a store that lies to the code: what is tested then must find it. */
import type { ObjectStore } from "../../core-as/host/repo/mod.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import type { Means, Script } from "./steps.ts";

function lying(script: Script, lies: (store: ObjectStore, means: Means) => Partial<ObjectStore>): Script {
  return (means) => {
    const { store } = means;
    const honest: ObjectStore = {
      label: store.label,
      get: (key, most) => store.get(key, most),
      head: (key) => store.head(key),
      list: (prefix) => store.list(prefix),
      put: (key, bytes, options) => store.put(key, bytes, options),
      remove: (keys) => store.remove(keys),
      close() {},
    };
    return script({ ...means, store: { ...honest, ...lies(store, means) } });
  };
}

/** A backup that uses condemned names: it is shown no list of them. */
export function usesCondemnedNames(backup: Script): Script {
  return lying(backup, (store) => ({ list: (prefix) => prefix === "gc/" ? nothing() : store.list(prefix) }));
}

/** A collection that does not say what it is going to remove. */
export function saysNothing(collector: Script): Script {
  return lying(collector, (store) => ({
    put: (key, bytes, options) =>
      key.startsWith("gc/") ? Promise.resolve("created") : store.put(key, bytes, options),
  }));
}

/** A collection that waits for nobody: once its list stands it is shown no signs. */
export function waitsForNobody(collector: Script): Script {
  return lying(collector, (store) => {
    let hasList = false;
    return {
      put: (key, bytes, options) => {
        hasList ||= key.startsWith("gc/");
        return store.put(key, bytes, options);
      },
      list: (prefix) => hasList && prefix === "active/" ? nothing() : store.list(prefix),
    };
  });
}

/** A collection that does not look again: it is always shown the manifests it saw first. */
export function looksOnce(collector: Script): Script {
  return lying(collector, (store) => {
    let first: Promise<MemoryStore> | undefined;
    return {
      async *list(prefix) {
        if (prefix !== "snaps/") return yield* store.list(prefix);
        first ??= copyOf(store, "snaps/");
        yield* (await first).list(prefix);
      },
    };
  });
}

/** A backup that does not look whether its intent stood the whole time. */
export function trustsItsIntent(backup: Script): Script {
  return lying(backup, (store) => ({
    head: (key) =>
      key.startsWith("active/") ? Promise.resolve({ key, sizeBytes: 1, modifiedMs: 0 }) : store.head(key),
  }));
}

/** A backup that looks for its parent, and reads it, before it says that it is under way. */
export function readsParentFirst(backup: Script): Script {
  return async (means) => {
    const early = await copyOf(means.store, "snaps/");
    for await (const { key } of means.store.list("maps/")) await copyObject(means.store, early, key);
    const lie = lying(backup, (store) => ({
      list: (prefix) => prefix.startsWith("snaps/") ? early.list(prefix) : store.list(prefix),
      get: (key, most) => /^(snaps|maps)\//.test(key) ? early.get(key, most) : store.get(key, most),
    }));
    return await lie(means);
  };
}

/** A backup that takes what a dead one left for a parent like any other. */
export function trustsTheDead(backup: Script): Script {
  return lying(backup, (store) => ({
    async *list(prefix) {
      for await (const info of store.list(prefix)) if (!info.key.endsWith("/expired")) yield info;
    },
  }));
}

/** A collection that removes what says that backups were taken for dead. */
export function forgetsTheDead(collector: Script): Script {
  return async (means) => {
    const outcome = await collector(means);
    for await (const { key } of means.store.list("active/")) {
      if (key.endsWith("/expired")) await means.store.remove([key]);
    }
    return outcome;
  };
}

async function copyOf(store: ObjectStore, prefix: string): Promise<MemoryStore> {
  const copy = new MemoryStore({ nowMs: () => 0 });
  for await (const { key } of store.list(prefix)) await copyObject(store, copy, key);
  return copy;
}

async function copyObject(from: ObjectStore, to: MemoryStore, key: string): Promise<void> {
  const bytes = await from.get(key, Infinity);
  if (bytes !== undefined) await to.put(key, bytes);
}

async function* nothing(): AsyncGenerator<never> {}
