/** Whether deltas can be applied, as every command and the page say it. */
import assert from "node:assert/strict";
import { buildDescriptor, type DescriptorSpec } from "../../../fixtures/mod.ts";
import { type LinkIdentity, unknownLink } from "../formats/identity.ts";
import { parseDescriptor } from "../formats/vmdk/descriptor.ts";
import { vmdkIdentity } from "../formats/vmdk/identity.ts";
import { judgeApply } from "./judgement.ts";
import { Findings } from "./findings.ts";

const SECTORS = 100;

function link(path: string, spec: Partial<DescriptorSpec> = {}): LinkIdentity {
  const extents = [{ sectors: SECTORS, type: spec.parentCid ? "VMFSSPARSE" : "VMFS", file: "x-flat.vmdk" }];
  const descriptor = parseDescriptor(buildDescriptor({ createType: "vmfs", extents, ...spec }), path);
  return { ...vmdkIdentity(path, descriptor), capacitySectors: SECTORS };
}

const base = link("vm.vmdk", { cid: "1" });
const one = link("vm-000001.vmdk", { cid: "2", parentCid: "1", parentFileNameHint: "vm.vmdk" });
const two = link("vm-000002.vmdk", { cid: "3", parentCid: "2", parentFileNameHint: "vm-000001.vmdk" });
const raw: LinkIdentity = {
  ...unknownLink("vm.img"),
  format: "raw",
  capacitySectors: SECTORS,
  delta: false,
};

const qcow2: LinkIdentity = { ...raw, path: "vm.qcow2", format: "qcow2" };

const sound = new Findings();

function found(severity: "damage" | "doubt"): Findings {
  const findings = new Findings();
  findings.add({ severity, kind: "entry-past-end", path: "x", offsetBytes: 8, message: "an entry is wild" });
  return findings;
}

const codes = (errors: readonly { code: string }[]) => errors.map(({ code }) => code);

Deno.test("C2: a sound chain on its base applies, and the command is given", () => {
  const judged = judgeApply({ links: [two, one, base], findings: [sound, sound] });
  assert.equal(judged.state, "applies");
  assert.deepEqual(judged.verdicts.map(({ state }) => state), ["match", "match"]);
  assert.equal(judged.command, "regrain apply vm-000001.vmdk vm-000002.vmdk vm.vmdk");
});

Deno.test("C2: what was not read yet, or has no base here, is unknown and says why", () => {
  const unread = judgeApply({ links: [one, base], findings: [undefined] });
  assert.equal(unread.state, "unknown");
  assert.match(unread.unknowns.join(), /tables of vm-000001.vmdk are sound: they were not read yet/);
  assert.equal(unread.command, undefined);
  const alone = judgeApply({ links: [two, one], findings: [sound, sound] });
  assert.equal(alone.state, "unknown");
  assert.match(alone.unknowns.join(), /its parent "vm.vmdk" is not here/);
  const beside = judgeApply({ links: [two, one], findings: [sound, sound], beside: [base] });
  assert.match(
    beside.unknowns.join(),
    /its parent vm.vmdk is here, and was not given as what it is applied onto/,
  );
  assert.equal(alone.command, "regrain apply vm-000001.vmdk vm-000002.vmdk TARGET");
  assert.equal(judgeApply({ links: [two], findings: [sound] }).command, undefined);
});

Deno.test("C2: a raw image of the right size is unknown, and what speaks against its content takes the command", () => {
  const judged = judgeApply({ links: [one, raw], findings: [sound] });
  assert.equal(judged.state, "unknown");
  assert.match(
    judged.unknowns.join(),
    /vm.img is what vm-000001.vmdk was made on: a raw image has no content id/,
  );
  assert.equal(judged.command, "regrain apply vm-000001.vmdk vm.img");
  const against = judgeApply({ links: [one, raw], findings: [sound], against: ["mismatch likely"] });
  assert.equal(against.state, "unknown");
  assert.equal(against.command, undefined);
});

Deno.test("C2: damage is refused with or without --force, doubt without it", () => {
  for (const force of [false, true]) {
    const damaged = judgeApply({ links: [one, base], findings: [found("damage")], force });
    assert.equal(damaged.state, "refused");
    assert.deepEqual(codes(damaged.refusals), ["DAMAGED"]);
    assert.equal(damaged.command, undefined);
  }
  assert.equal(judgeApply({ links: [one, base], findings: [found("doubt")] }).state, "refused");
  const forced = judgeApply({ links: [one, base], findings: [found("doubt")], force: true });
  assert.equal(forced.state, "applies");
  assert.deepEqual(codes(forced.taken), ["DAMAGED"]);
  assert.equal(forced.command, "regrain apply --force vm-000001.vmdk vm.vmdk");
});

Deno.test("C2: a wrong base, a wrong order and a base among the deltas are refused by name", () => {
  const wrong = judgeApply({ links: [two, base], findings: [sound] });
  assert.deepEqual(codes(wrong.refusals), ["WRONG_BASE"]);
  assert.match(wrong.refusals[0]!.hint!, /--force/);
  assert.equal(judgeApply({ links: [two, base], findings: [sound], force: true }).state, "applies");
  assert.deepEqual(codes(judgeApply({ links: [one, two, base], findings: [sound, sound] }).refusals), [
    "CHAIN_BROKEN",
    "WRONG_BASE",
  ]);
  const hidden = judgeApply({ links: [base, one, raw], findings: [sound, sound], force: true });
  assert.match(hidden.refusals[0]!.message, /would hide all links/);
});

Deno.test("C2: a base of another size is refused with its size", () => {
  const short = judgeApply({ links: [one, { ...raw, capacitySectors: 99 }], findings: [sound], force: true });
  assert.deepEqual(codes(short.refusals), ["SIZE_MISMATCH"]);
  const long = { links: [one, { ...raw, capacitySectors: 101 }], findings: [sound] };
  assert.deepEqual(codes(judgeApply(long).refusals), ["SIZE_MISMATCH"]);
  assert.equal(judgeApply({ ...long, force: true }).refusals.length, 0);
});

Deno.test("C2: a base alone has nothing to apply", () => {
  const judged = judgeApply({ links: [base], findings: [sound] });
  assert.deepEqual([judged.state, judged.command], ["nothing", undefined]);
});

Deno.test("C2: names that a shell would take apart are quoted in the command", () => {
  const odd = { ...one, path: "-my vm's.vmdk" };
  const { command } = judgeApply({ links: [odd, base], findings: [sound] });
  assert.equal(command, `regrain apply './-my vm'\\''s.vmdk' vm.vmdk`);
});

Deno.test("a base in a format that is never written is no target: the command takes a copy of it", () => {
  const judged = judgeApply({ links: [one, qcow2], findings: [sound] });
  assert.equal(judged.state, "unknown");
  assert.equal(judged.command, "regrain apply vm-000001.vmdk TARGET");
  assert.equal(
    judgeApply({ links: [one, raw], findings: [sound] }).command,
    "regrain apply vm-000001.vmdk vm.img",
  );
});
