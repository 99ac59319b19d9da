/** Whether the deltas can be applied, why not, and what that would write. */
import { formatSize, plural } from "../../../core-as/host/units.ts";
import type { JudgementFacts, LinkFacts, PlanFacts, Trouble, VerdictFacts } from "../../shared/protocol.ts";
import { formatDuration, formatShare } from "../../shared/units.ts";
import { headOf } from "../../shared/judgement_words.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";

const SPEEDS_MBPS = [50, 100, 200, 500, 1000, 3000];

/** Colour and words of a verdict; amber is never told by its colour alone. */
const VERDICTS: Readonly<Record<VerdictFacts["state"], readonly [string, string]>> = {
  match: ["good", "✓ Matches its parent"],
  mismatch: ["bad", "✗ Does not match its parent"],
  unknown: ["doubt", "? Cannot be checked against its parent"],
};

/** Where all is well one line says so, and the reasons are folded. */
export function Verdicts({ links }: { links: readonly LinkFacts[] }) {
  const verdicts = links.map((link) => <Verdict key={link.name} link={link} />);
  const judged = links.filter(({ verdict }) => verdict);
  if (judged.length < 2 || judged.some(({ verdict }) => verdict?.state !== "match")) return <>{verdicts}</>;
  return (
    <details class="verdict good">
      <summary>
        <strong>✓ All {judged.length} links match their parents</strong>
      </summary>
      {verdicts}
    </details>
  );
}

/** Whether a link was made on the one below it. */
function Verdict({ link: { name, verdict } }: { link: LinkFacts }) {
  if (!verdict) return null;
  const [colour, words] = VERDICTS[verdict.state];
  return (
    <div class={`verdict ${colour}`} data-testid="verdict">
      <p>
        <strong>{words}</strong> <span>{name}</span>
      </p>
      {verdict.sentences.map((sentence) => <p key={sentence}>{sentence}</p>)}
    </div>
  );
}

/** The judgement as it is known now: before all tables are read it can only refuse. */
export function judgementOf({ judgement, opened }: PageState): JudgementFacts | undefined {
  return judgement ?? opened?.judgement;
}

export function Judgement({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const judgement = judgementOf(state);
  if (!judgement || judgement.state === "nothing") return null;
  const { refusals, isFinal, against, agreed, unknowns, plan } = judgement;
  const [colour, words] = headOf(judgement);
  return (
    <div class={`verdict ${colour}`} data-testid="judgement" aria-live="polite">
      <p>
        <strong>{words}</strong>
      </p>
      {refusals.map((refusal) => <Refused key={refusal.message} refusal={refusal} />)}
      {against.map((sentence) => <p key={sentence}>{sentence}</p>)}
      {isFinal && refusals.length === 0 &&
        unknowns.map((unknown) => <p key={unknown}>Not known: {unknown}.</p>)}
      {agreed.length > 0 && (
        <p class="quiet">
          Checked by content, nothing speaks against it, and that proves nothing: {agreed.join("; ")}.
        </p>
      )}
      {!isFinal && refusals.length === 0 && <Reading state={state} />}
      {plan && against.length === 0 && (
        <Cost plan={plan} deltas={judgement.deltas} state={state} inspector={inspector} />
      )}
    </div>
  );
}

function Refused({ refusal: { code, message, hint } }: { refusal: Trouble }) {
  return (
    <p>
      <code>{code}</code> {message} {hint !== undefined && <span class="quiet">hint: {hint}</span>}
    </p>
  );
}

/** All tables are read before anything is promised. */
function Reading({ state: { surveyed } }: { state: PageState }) {
  const share = surveyed && formatShare(surveyed.doneSectors, Math.max(1, surveyed.totalSectors));
  return <p class="quiet">Its tables are being checked{share === undefined ? "" : `: ${share}`}.</p>;
}

/** What applying all deltas writes; zeros are counted as if they were written, which is the slowest case. */
function Cost(
  { plan, deltas, state, inspector }: {
    plan: PlanFacts;
    deltas: number;
    state: PageState;
    inspector: Inspector;
  },
) {
  const { writeBytes, zeroBytes, skipBytes } = plan;
  const seconds = (writeBytes + zeroBytes) / (state.speedMbps * 1e6);
  const time = `${seconds < 1 ? "" : "at most "}${formatDuration(seconds)}`;
  return (
    <div class="cost" data-testid="cost">
      <p>
        Applying {deltas === 1 ? "the delta" : `all ${plural(deltas, "delta")}`} writes{" "}
        <strong>{formatSize(writeBytes)}</strong> of data and zeroes <strong>{formatSize(zeroBytes)}</strong>;
        {" "}
        {formatSize(skipBytes)} stay as they are: {time}{" "}
        <label>
          at{" "}
          <select
            value={String(state.speedMbps)}
            onChange={({ currentTarget }) => inspector.store.set({ speedMbps: Number(currentTarget.value) })}
          >
            {SPEEDS_MBPS.map((speed) => <option key={speed} value={String(speed)}>{speed} MB/s</option>)}
          </select>
        </label>
      </p>
    </div>
  );
}
