/** What a file keeps when its content is replaced: judged by Python's own system calls. */
import assert from "node:assert/strict";
import { run, testWithPeers, withTempDir } from "../../test/helpers/peers.ts";
import { pickIo } from "./mod.ts";

/** An access control list: owner rw, user 1000 r, group r, mask r, others none (`linux/posix_acl_xattr.h`). */
const SET = `
import os, struct, sys
entries = [(1, 6, 2**32 - 1), (2, 4, 1000), (4, 4, 2**32 - 1), (16, 4, 2**32 - 1), (32, 0, 2**32 - 1)]
acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *entry) for entry in entries)
os.setxattr(sys.argv[1], 'system.posix_acl_access', acl)
os.setxattr(sys.argv[1], 'user.note', b'of the admin')
os.chown(sys.argv[1], 1234, 4321)
`;
const SHOW = `
import os, sys
status = os.stat(sys.argv[1])
attributes = {name: os.getxattr(sys.argv[1], name).hex() for name in sorted(os.listxattr(sys.argv[1]))}
print(oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink, attributes)
`;

for (const choice of Deno.build.os === "linux" ? ["linux", "portable"] as const : []) {
  testWithPeers(
    `D9: ${choice}: rewriteFile() keeps owner, group, mode, access control list and attributes`,
    ["python3", "root-mount"],
    () =>
      withTempDir((folder) => {
        const path = `${folder}/vm.vmdk`;
        Deno.writeTextFileSync(path, "a text that is longer than the one after it", { mode: 0o640 });
        run("python3", ["-c", SET, path]);
        const before = run("python3", ["-c", SHOW, path]);
        assert.match(before, /1234 4321 1 .*posix_acl_access.*user\.note/);
        pickIo(choice).rewriteFile(path, new TextEncoder().encode("the new text"));
        assert.equal(Deno.readTextFileSync(path), "the new text");
        assert.equal(run("python3", ["-c", SHOW, path]), before);
        assert.deepEqual(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["vm.vmdk"]);
      }),
  );

  testWithPeers(
    `D9: ${choice}: rewriteFile() changes a file under all its names`,
    ["python3"],
    () =>
      withTempDir((folder) => {
        const [path, other] = [`${folder}/vm.vmdk`, `${folder}/other name`];
        Deno.writeTextFileSync(path, "old");
        Deno.linkSync(path, other);
        pickIo(choice).rewriteFile(path, new TextEncoder().encode("the new text"));
        assert.equal(Deno.readTextFileSync(other), "the new text");
        assert.equal(Deno.statSync(path).ino, Deno.statSync(other).ino);
        assert.equal([...Deno.readDirSync(folder)].length, 2);
      }),
  );
}

testWithPeers(
  "D9: linux: rewriteFile() goes by rename where everything can be kept",
  ["root-mount"],
  () =>
    withTempDir((folder) => {
      const path = `${folder}/vm.vmdk`;
      Deno.writeTextFileSync(path, "old");
      const before = Deno.openSync(path, { read: true });
      pickIo("linux").rewriteFile(path, new TextEncoder().encode("new"));
      // Whoever has the old file open still reads it whole: it was not written into.
      const bytes = new Uint8Array(8);
      assert.equal(before.readSync(bytes), 3);
      before.close();
      assert.equal(new TextDecoder().decode(bytes.subarray(0, 3)), "old");
      assert.equal(Deno.readTextFileSync(path), "new");
    }),
);
