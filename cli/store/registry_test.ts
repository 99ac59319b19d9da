import assert from "node:assert/strict";
import type { RegrainError } from "../../core-as/host/errors.ts";
import { refusalOf } from "../../test/helpers/refusal.ts";
import { findStore, flagsFor, openStore, requireOwnFlags, STORE_FORMS } from "./registry.ts";
import { type AddressWords, GIVEN_STORE, OTHER_STORE } from "./refusal.ts";
import { parseBucket } from "./s3/kind.ts";

const refusal = (fn: () => unknown) => refusalOf("USAGE", fn);

/** Addresses of other tools, and what their hint begins with. */
const INSTEAD: Record<string, string> = {
  "s3:https://s3.example.com/bucket/vms": "--repo s3://bucket/vms --endpoint https://s3.example.com;",
  "s3:https://key:word@s3.example.com/bucket": "--repo s3://bucket --endpoint https://s3.example.com;",
  "S3://bucket/vms": "--repo s3://bucket/vms;",
  "s3:/bucket/vms": "--repo s3://bucket/vms;",
  "s3:bucket": "--repo s3://bucket;",
  "s3a://bucket/vms/": "--repo s3://bucket/vms;",
  "https://minio:9000/bucket/vms": "--repo s3://bucket/vms --endpoint https://minio:9000;",
  "s3:localhost:9000/bucket/vms": "--repo s3://bucket/vms --endpoint https://localhost:9000;",
  "s3:s3.example.com/bucket/vms": "--repo s3://bucket/vms --endpoint https://s3.example.com;",
  "s3:bucket.s3.example.com/vms": "--repo s3://bucket/vms --endpoint https://s3.example.com;",
  "s3://minio.lan:9000/bucket": "--repo s3://bucket --endpoint https://minio.lan:9000;",
  "s3://s3.eu-central-1.amazonaws.com/bucket/vms": "--repo s3://bucket/vms --region eu-central-1;",
  "s3:s3-us-west-2.amazonaws.com/bucket": "--repo s3://bucket --region us-west-2;",
  "s3:s3.amazonaws.com/bucket": "--repo s3://bucket;",
  "https://bucket.s3.eu-central-1.amazonaws.com/vms": "--repo s3://bucket/vms --region eu-central-1;",
  "http://bucket.s3.amazonaws.com/": "--repo s3://bucket;",
  ":s3,provider=Minio:bucket/vms": "--repo s3://bucket/vms;",
  ":sftp:backups": "mount the remote and name the folder: --repo /mnt/backups;",
  "~/backups": "the whole path, such as $HOME/backups where a shell reads it;",
  "b2:bucket:vms": "--repo s3://bucket/vms --endpoint https://s3.REGION.backblazeb2.com;",
  "gs://bucket/vms": "--repo s3://bucket/vms --endpoint https://storage.googleapis.com;",
  "gs:bucket:/": "--repo s3://bucket --endpoint https://storage.googleapis.com;",
  "file:///srv/vms": "--repo /srv/vms;",
  "file:/srv/vms": "--repo /srv/vms;",
  "local:/srv/vms": "--repo /srv/vms;",
  "sftp:root@nas:/backups": "sshfs root@nas:/backups /mnt/backups mounts it, and then --repo /mnt/backups;",
  "sftp://root@nas:2222/backups": "sshfs root@nas:/backups /mnt/backups mounts it",
  "ssh://nas/x": "sshfs nas:/x /mnt/backups mounts it",
  "root@nas:/backups": "sshfs root@nas:/backups /mnt/backups mounts it",
  "nas:backups": "sshfs nas:backups /mnt/backups mounts it",
  "rest:http://nas:8000/": "a server that speaks S3: --repo s3://bucket/prefix --endpoint URL;",
  "azure:container:/": "mount the container and name the folder: --repo /mnt/backups;",
  "rclone:remote:path": "rclone serve s3",
  "[datastore1] backups": "mount the folder and name the folder",
  "repo:web01/disk-0": "repo: names a snapshot in a repository;",
  "nfs://nas/backups": "mount it and name the folder: --repo /mnt/backups;",
  "constructor:x": "sshfs constructor:x",
};

Deno.test("B13: an address of another tool is no folder here; the hint says what is, and the accepted forms", () => {
  for (const [address, hint] of Object.entries(INSTEAD)) {
    const error = refusal(() => findStore(address));
    assert.ok(error.hint!.startsWith(hint), `${address}: ${error.hint}`);
    assert.ok(error.hint!.includes(`a repository is ${STORE_FORMS}`), error.hint);
    assert.doesNotMatch(`${error.message}${error.hint}`, /word/, "a password is not printed");
    for (const [, to] of hint.matchAll(/--repo (\S+?);/g)) findStore(to!);
  }
});

Deno.test("B13: ./ before an address of another tool makes it a folder, as the hint says", () => {
  for (const address of Object.keys(INSTEAD).filter((each) => !each.includes("word"))) {
    const [, , quoted, plain] = /begins with \.\/: --repo ('([^']+)'|(\S+))$/.exec(
      refusal(() => findStore(address)).hint!,
    )!;
    const local = quoted ?? plain!;
    assert.equal(local, `./${address}`);
    assert.equal(findStore(local).kind.form, "a folder");
  }
  for (const path of ["./nas:backups", "/srv/a:b", "C:\\vms", "vms", "a/b:c", ".", "[1]", "-", "a b"]) {
    assert.equal(findStore(path).kind.form, "a folder", path);
  }
});

Deno.test("B13: the hint speaks of the flags of the store that is meant", () => {
  const hintOf = (words: AddressWords) => refusal(() => findStore("s3:http://nas/bucket", words)).hint!;
  assert.match(hintOf(OTHER_STORE), /^--to s3:\/\/bucket --to-endpoint http:\/\/nas;/);
  assert.match(hintOf(GIVEN_STORE), /^s3:\/\/bucket --endpoint http:\/\/nas;/);
});

Deno.test("B13: names of buckets that Ceph allows are taken, and a name that leads elsewhere is not", () => {
  for (const bucket of ["My_Bucket", "a_b.C", "tenant:bucket", "x".repeat(255), "under_", "vms"]) {
    assert.deepEqual(parseBucket(`s3://${bucket}/a/b/`), { bucket, prefix: "a/b" });
    assert.equal(findStore(`s3://${bucket}`).kind.scheme, "s3");
  }
  for (const bucket of ["", "..", "a b", "-x-", "x".repeat(256), "a?b"]) {
    refusal(() => findStore(`s3://${bucket}/vms`));
  }
});

Deno.test("a flag about a bucket is refused beside a folder, which a bucket without s3:// would be made", async () => {
  const flags = { endpoint: "https://nas:9000" };
  await assert.rejects(openStore("bucket/vms", flags), (error: RegrainError) => {
    assert.equal(error.code, "USAGE");
    assert.match(error.message, /--endpoint is about s3:\/\/bucket\/prefix, and bucket\/vms is a folder/);
    assert.match(error.hint!, /^--repo s3:\/\/bucket\/vms for the bucket; or leave --endpoint out/);
    return true;
  });
  (await openStore("bucket/vms", {})).close();
  (await openStore("bucket/vms", { endpoint: undefined })).close();
  const [bucket, folder] = [findStore("s3://bucket/vms"), findStore("/srv/vms")];
  requireOwnFlags([folder, bucket], flags);
  assert.deepEqual(flagsFor(folder, flags), {});
  assert.equal(flagsFor(bucket, flags).endpoint, flags.endpoint);
  assert.match(
    refusal(() => requireOwnFlags([folder], { caFile: "x" }, OTHER_STORE)).message,
    /--to-ca-file/,
  );
});

Deno.test("a host remembers a store by one name, however it was addressed", async () => {
  const of = (address: string, endpoint?: string) => findStore(address).identity({ endpoint });
  assert.equal(await of("s3://bucket/vms/", "https://nas"), "https://nas s3://bucket/vms");
  assert.equal(await of("s3://bucket", "https://nas"), "https://nas s3://bucket");
  assert.equal(await of("/tmp/"), await of("/tmp"));
  assert.equal(await of("./no:such/"), "./no:such");
});
