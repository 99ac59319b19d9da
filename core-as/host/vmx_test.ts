/** What is read of a .vmx, and what is not believed. */
import assert from "node:assert/strict";
import { memorySource } from "../../test/helpers/memory.ts";
import { RegrainError } from "./errors.ts";
import { parseVmx, readVmx } from "./vmx.ts";

Deno.test("A18: the .vmx tells the VM's name and the current link of each disk, in the order of the slots", () => {
  const vmx = parseVmx(
    [
      "#!/usr/bin/vmware",
      '.encoding = "UTF-8"',
      'displayName = "web |22one|22"',
      'scsi0:10.fileName = "data.vmdk"',
      'scsi0:2.fileName = "logs_1.vmdk"',
      'scsi0:2.present = "FALSE"',
      'SCSI0:0.FILENAME = "vm-000002.vmdk"',
      'scsi0:0.present = "TRUE"',
      'ide1:0.fileName = "/usr/lib/vmware/isoimages/linux.iso"',
      "sata0:1.fileName = /vmfs/volumes/5c9a/other/other.vmdk",
      "nonsense",
      'scsi0:99999.fileName = "no.vmdk"',
    ].join("\r\n"),
  );
  assert.deepEqual(vmx, {
    displayName: 'web "one"',
    encrypted: false,
    disks: [
      { slot: "sata0:1", fileName: "/vmfs/volumes/5c9a/other/other.vmdk" },
      { slot: "scsi0:0", fileName: "vm-000002.vmdk" },
      { slot: "scsi0:10", fileName: "data.vmdk" },
    ],
  });
});

Deno.test("A18: a .vmx in another encoding is read, and one of any bytes does no harm", async () => {
  const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const read = (text: string) => readVmx(memorySource("vm.vmx", bytes(text)));
  const latin = 'displayName = "B\xfcro"\n';
  for (const head of ['.encoding = "windows-1252"\n', "", '.encoding = "no-such"\n']) {
    assert.equal((await read(head + latin)).displayName, "B\u00fcro");
  }
  assert.deepEqual(await read("\0\xff=\n=\n\x01"), { displayName: undefined, encrypted: false, disks: [] });
});

Deno.test("A9: a .vmx with a key safe says that the VM is encrypted", () => {
  assert.equal(
    parseVmx('displayName = "x"\nencryption.keySafe = "vmware:key/list/(pair/(x))"').encrypted,
    true,
  );
});

Deno.test("A18: no .vmx of more than 1 MiB is read", async () => {
  await assert.rejects(
    () => readVmx(memorySource("vm.vmx", new Uint8Array(1024 * 1024 + 1))),
    (error) => error instanceof RegrainError && error.code === "LIMIT_EXCEEDED",
  );
});
