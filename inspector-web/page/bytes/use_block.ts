/** The bytes that are shown, asked for as the rows are scrolled. */
import { useEffect, useState } from "preact/hooks";
import { CLOSED } from "../../shared/protocol.ts";
import type { Inspector } from "../actions/inspector.ts";
import { troubleOf } from "../model/client.ts";
import type { PageState } from "../model/store.ts";
import type { Block } from "./hex_rows.tsx";
import { ROW_BYTES } from "./hex_text.ts";

const ROWS = 32;
export const SHOWN_BYTES = ROWS * ROW_BYTES;

/** Start of the row that a byte is in. */
export function rowOf(offsetBytes: number): number {
  return Math.max(0, Math.floor(offsetBytes / ROW_BYTES) * ROW_BYTES);
}

/** Bytes that cannot be had. */
export interface Refused {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly code: string;
  readonly message: string;
}

/** Where the rows begin, of something of so many bytes. */
interface Place {
  readonly state: PageState;
  readonly inspector: Inspector;
  readonly top: number;
  readonly sizeBytes: number;
}

/** What was read last, and why what is to be shown cannot be, if so. */
export function useBlock(
  { state: { opened, hexSource, view }, inspector, top, sizeBytes }: Place,
): { readonly shown: Block | undefined; readonly refused: Refused | undefined } {
  const [shown, setShown] = useState<Block>();
  const [refused, setRefused] = useState<Refused>();
  const source = JSON.stringify(hexSource);
  useEffect(() => {
    let isCurrent = true;
    const lengthBytes = Math.min(SHOWN_BYTES, sizeBytes - top);
    if (lengthBytes <= 0) return;
    const of = hexSource === "disk" ? { view } : hexSource;
    const asked = { type: "bytes", of, offsetBytes: top, lengthBytes, withBelow: true } as const;
    inspector.client.ask(asked).then(
      (answer) => {
        if (!isCurrent) return;
        setShown({ offsetBytes: top, answer });
        setRefused(undefined);
      },
      (error) => {
        if (!isCurrent) return;
        const { code, message } = troubleOf(error);
        const isDamaged = code === "GRAIN_DAMAGED" || (opened?.snapshot && code !== CLOSED);
        if (isDamaged) setRefused({ offsetBytes: top, lengthBytes, code, message });
        else inspector.fail(error);
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [top, source, view, opened]);
  return { shown, refused: refused?.offsetBytes === top ? refused : undefined };
}
