/** The suite over every store there is. */
import { FolderStore } from "../../cli/store/folder/store.ts";
import { testWithPeers } from "../helpers/peers.ts";
import { conformance, type Subject } from "./conformance.ts";
import { type S3Server, startFaultServer, startS3sFs, startVersitygw } from "./servers.ts";

async function subjectOf(server: S3Server): Promise<Subject> {
  return { store: await server.open(), close: () => server.close() };
}

Deno.test("a folder keeps what an object store promises", (t) =>
  conformance(
    t,
    (folder) => Promise.resolve({ store: new FolderStore(`${folder}/repo`), close: () => {} }),
    { atomic: true },
  ));

// Where conditions are ignored every writer is told that it created the object: what the probe is there to find.
for (const conditions of ["atomic", "rejected"] as const) {
  const atomic = conditions === "atomic";
  Deno.test(`the store of the tests, conditions ${conditions}, keeps what an object store promises`, (t) =>
    conformance(t, () => subjectOf(startFaultServer({ conditions, batches: atomic })), { atomic }));
}

testWithPeers(
  "versitygw keeps what an object store promises",
  ["versitygw"],
  (t) => conformance(t, async (folder) => await subjectOf(await startVersitygw(folder)), { atomic: true }),
);

testWithPeers(
  "s3s-fs keeps what an object store promises",
  ["s3s-fs"],
  (t) => conformance(t, async (folder) => await subjectOf(await startS3sFs(folder)), { atomic: false }),
);
