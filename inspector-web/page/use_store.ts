/** Binds the store to components: a component that calls this is drawn again whenever the state changed. */
import { useEffect, useState } from "preact/hooks";
import type { PageState, Store } from "./model/store.ts";

export function useStore(store: Store): PageState {
  const [state, setState] = useState(store.state);
  useEffect(() => {
    setState(store.state);
    return store.subscribe(() => setState(store.state));
  }, [store]);
  return state;
}
