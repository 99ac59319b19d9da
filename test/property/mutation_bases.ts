/** Sound disks of every format, small, with the places of their metadata: what mutations start from. */
import { SECTOR_SIZE } from "../../core-as/host/units.ts";
import {
  BASE,
  baseDisk,
  baseFiles,
  buildCowd,
  buildDescriptor,
  buildHosted,
  buildSeSparse,
  buildStream,
  COWD_HEADER,
  type CowdSpec,
  dataGrains,
  DELTA,
  deltaFileName,
  deltaFiles,
  type DeltaKind,
  type Files,
  type Grain,
  type HeaderFields,
  HOSTED_HEADER,
  type HostedSpec,
  type Image,
  type LinkSpec,
  overlay,
  pattern,
  Rng,
  sequence,
  SESPARSE_HEADER,
  SESPARSE_VOLATILE_HEADER,
  type SeSparseSpec,
  type StreamSpec,
} from "../../fixtures/mod.ts";

/** One little-endian integer of the metadata. */
export interface Field {
  readonly at: number;
  readonly size: 1 | 2 | 4 | 8;
}

/** Metadata of one file. */
export type MutationTarget = BinaryTarget | TextTarget;

export interface BinaryTarget {
  readonly kind: "binary";
  readonly file: string;
  readonly fields: readonly Field[];
}

/** A descriptor: a whole file, or a stretch of one. */
export interface TextTarget {
  readonly kind: "text";
  readonly file: string;
  readonly embedded: { readonly at: number; readonly lengthBytes: number } | undefined;
}

export interface MutationBase {
  readonly name: string;
  readonly format: string;
  /** Share of the mutants. */
  readonly weight: number;
  readonly leaf: string;
  readonly files: Files;
  /** What the disk reads as before anything is changed. */
  readonly expected: Uint8Array;
  readonly targets: readonly MutationTarget[];
}

/** Entries with a kind for each: three of four data, then zeros, `unmapped` ones where the format has them, absent. */
function mixedGrains(options: { seed: number; limit: number; count: number; unmapped?: boolean }): Grain[] {
  return new Rng(options.seed).pick(options).map((index, i): Grain => {
    if (i % 5 === 1) return { index, kind: "zero" };
    if (i % 9 === 2) return { index, kind: "absent" };
    return { index, kind: options.unmapped && i % 7 === 3 ? "unmapped" : "data" };
  });
}

function headerFields(fields: HeaderFields, baseBytes = 0): Field[] {
  return Object.values(fields).map(({ at, size }) => ({ at: baseBytes + at, size }));
}

/** The directory, the entries that were written, and a few that were not. */
function tableFields(image: Image, shape: { size: 4 | 8; tables: number }): Field[] {
  const { size, tables } = shape;
  const { layout, bytes } = image;
  const directories = [layout.directory, layout.redundantDirectory].filter((at) => at !== undefined);
  const fields: Field[] = [];
  for (const directory of directories) {
    for (let i = 0; i < tables; i++) fields.push({ at: directory + i * size, size });
  }
  for (const at of layout.entries.values()) fields.push({ at, size }, { at: at + size, size });
  for (const [number, at] of layout.redundantTables) {
    const shift = at - layout.tables.get(number)!;
    for (const entry of layout.entries.values()) {
      if (entry >= at - shift && entry < at - shift + 2048) fields.push({ at: entry + shift, size });
    }
  }
  return fields.filter(({ at }) => at + size <= bytes.length);
}

/** Directory fields weigh as much as all entries: there are few of them, and they decide more. */
function binary(file: string, groups: readonly (readonly Field[])[]): BinaryTarget {
  const most = Math.max(...groups.map((fields) => fields.length));
  const fields = groups.flatMap((group) => {
    return group.length === 0
      ? []
      : Array.from({ length: Math.ceil(most / group.length) }, () => group).flat();
  });
  return { kind: "binary", file, fields };
}

interface DeltaOf {
  readonly name: string;
  readonly weight: number;
  readonly kind: DeltaKind;
  readonly link: LinkSpec;
  readonly image: Image;
  readonly header: readonly Field[];
  readonly tables: number;
}

/** One delta on a flat base; descriptors of both are targets too. */
function deltaBase({ name, weight, kind, link, image, header, tables }: DeltaOf): MutationBase {
  const { capacitySectors } = link;
  const file = deltaFileName(DELTA, kind);
  const size = kind === "sesparse" ? 8 : 4;
  const metadata = binary(file, [header, tableFields(image, { size, tables })]);
  return {
    name,
    format: kind,
    weight,
    leaf: DELTA,
    files: {
      ...baseFiles({ capacitySectors }),
      ...deltaFiles({ kind, bytes: image.bytes, capacitySectors }),
    },
    expected: overlay(baseDisk(capacitySectors), link),
    targets: [
      ...Array.from({ length: 8 }, () => metadata),
      { kind: "text", file: DELTA, embedded: undefined },
    ],
  };
}

function cowd(name: string, weight: number, spec: CowdSpec): MutationBase {
  const tables = Math.ceil(spec.capacitySectors / (4096 * spec.grainSectors));
  const header = headerFields(COWD_HEADER);
  return deltaBase({ name, weight, kind: "cowd", link: spec, image: buildCowd(spec), header, tables });
}

function seSparse(name: string, weight: number, spec: SeSparseSpec): MutationBase {
  const tables = Math.ceil(spec.capacitySectors / (4096 * 8));
  const header = [...headerFields(SESPARSE_HEADER), ...headerFields(SESPARSE_VOLATILE_HEADER)];
  const link = { ...spec, grainSectors: 8 };
  return deltaBase({ name, weight, kind: "sesparse", link, image: buildSeSparse(spec), header, tables });
}

function hosted(name: string, weight: number, spec: HostedSpec): MutationBase {
  const header = headerFields(HOSTED_HEADER);
  return deltaBase({
    name,
    weight,
    kind: "hosted",
    link: spec,
    image: buildHosted(spec),
    header,
    tables: hostedTables(spec),
  });
}

function hostedTables(spec: HostedSpec): number {
  return Math.ceil(spec.capacitySectors / (spec.grainSectors * (spec.tableEntries ?? 512)));
}

/** One file with its descriptor inside. */
function monolithic(name: string, weight: number, spec: HostedSpec): MutationBase {
  const { capacitySectors } = spec;
  const descriptor = buildDescriptor({
    createType: "monolithicSparse",
    cid: "5eed0003",
    extents: [{ sectors: capacitySectors, type: "SPARSE", file: "disk.vmdk" }],
  });
  const image = buildHosted({ ...spec, descriptor, descriptorSectors: 2 });
  const tables = tableFields(image, { size: 4, tables: hostedTables(spec) });
  const metadata = binary("disk.vmdk", [headerFields(HOSTED_HEADER), tables]);
  return {
    name,
    format: "hosted",
    weight,
    leaf: "disk.vmdk",
    files: { "disk.vmdk": image.bytes },
    expected: overlay(new Uint8Array(capacitySectors * SECTOR_SIZE), spec),
    targets: [metadata, metadata, embeddedText("disk.vmdk", 2)],
  };
}

function embeddedText(file: string, sectors: number): TextTarget {
  return { kind: "text", file, embedded: { at: SECTOR_SIZE, lengthBytes: sectors * SECTOR_SIZE } };
}

function stream(name: string, weight: number, spec: StreamSpec): MutationBase {
  const { capacitySectors } = spec;
  const descriptor = buildDescriptor({
    createType: "streamOptimized",
    cid: "5eed0004",
    extents: [{ sectors: capacitySectors, type: "SPARSE", file: "disk.vmdk" }],
  });
  const image = buildStream({ ...spec, descriptor });
  const { bytes, layout } = image;
  const tableCount = Math.ceil(capacitySectors / (spec.grainSectors * 512));
  const markers: Field[] = [...layout.grains.values()].flatMap((at): Field[] => [
    { at, size: 8 },
    { at: at + 8, size: 4 },
    { at: at + 12, size: 4 },
    { at: at + 40, size: 4 },
  ]);
  const footer = headerFields(HOSTED_HEADER, bytes.length - 2 * SECTOR_SIZE);
  const ends: Field[] = [1, 3].map((sectors) => ({ at: bytes.length - sectors * SECTOR_SIZE, size: 8 }));
  const metadata = binary("disk.vmdk", [
    headerFields(HOSTED_HEADER),
    tableFields(image, { size: 4, tables: tableCount }),
    markers,
    spec.form === "footer" ? [...footer, ...ends] : [],
  ]);
  return {
    name,
    format: "stream",
    weight,
    leaf: "disk.vmdk",
    files: { "disk.vmdk": bytes },
    expected: overlay(new Uint8Array(capacitySectors * SECTOR_SIZE), spec),
    targets: [metadata, metadata, metadata, embeddedText("disk.vmdk", Math.ceil(descriptor.length / 512))],
  };
}

/** Data that packs well beside data that does not: the first grain of three repeats itself. */
function packable(indices: readonly number[], grainSectors: number): Grain[] {
  return indices.map((index, i): Grain => {
    if (i % 3 !== 0) return { index, kind: "data" };
    return { index, kind: "data", data: new Uint8Array(grainSectors * SECTOR_SIZE).fill(0x41 + i) };
  });
}

function texts(files: readonly string[]): TextTarget[] {
  return files.map((file) => ({ kind: "text", file, embedded: undefined }));
}

const SMALL = 1000;

/** Base, COWD, SESparse and hosted sparse above one another. */
function mixedChain(): MutationBase {
  const links = [
    { kind: "cowd", link: linkOf({ grainSectors: 1, seed: 21, count: 200 }) },
    { kind: "sesparse", link: linkOf({ grainSectors: 8, seed: 22, count: 30 }) },
    { kind: "hosted", link: linkOf({ grainSectors: 16, seed: 23, count: 12 }) },
  ] as const;
  const files: Files = baseFiles({ capacitySectors: SMALL });
  const targets: MutationTarget[] = texts([BASE.descriptor]);
  let disk = baseDisk(SMALL);
  let parent = { name: BASE.descriptor as string, cid: "5eed0001" };
  links.forEach(({ kind, link }, i) => {
    const name = `disk-00000${i + 1}.vmdk`;
    const cid = `c0ffee0${i + 1}`;
    const image = kind === "cowd"
      ? buildCowd(link)
      : kind === "hosted"
      ? buildHosted(link)
      : buildSeSparse(link);
    const descriptor = { cid, parentCid: parent.cid, parentFileNameHint: parent.name };
    Object.assign(
      files,
      deltaFiles({ kind, bytes: image.bytes, capacitySectors: SMALL, name, descriptor }),
    );
    const header = { cowd: COWD_HEADER, sesparse: SESPARSE_HEADER, hosted: HOSTED_HEADER }[kind];
    const shape = { size: kind === "sesparse" ? 8 : 4, tables: 1 } as const;
    targets.push(
      binary(deltaFileName(name, kind), [headerFields(header), tableFields(image, shape)]),
      ...texts([name, name]),
    );
    disk = overlay(disk, link);
    parent = { name, cid };
  });
  return { name: "chain", format: "chain", weight: 6, leaf: parent.name, files, expected: disk, targets };
}

function linkOf(options: { grainSectors: number; seed: number; count: number }): LinkSpec {
  const { grainSectors, seed, count } = options;
  const limit = Math.ceil(SMALL / grainSectors);
  return { capacitySectors: SMALL, grainSectors, seed, grains: mixedGrains({ seed, limit, count }) };
}

/** A disk in three sparse parts, the last the smallest. */
function splitSparse(): MutationBase {
  const parts: HostedSpec[] = [320, 320, 90].map((capacitySectors, i) => ({
    capacitySectors,
    grainSectors: 16,
    tableEntries: 64,
    seed: 30 + i,
    grains: dataGrains([0, 3, 4, 5]),
  }));
  const files: Files = {};
  const targets: MutationTarget[] = texts(["disk.vmdk", "disk.vmdk", "disk.vmdk"]);
  const extents = parts.map((part, i) => {
    const file = `disk-s00${i + 1}.vmdk`;
    const image = buildHosted(part);
    files[file] = image.bytes;
    targets.push(
      binary(file, [headerFields(HOSTED_HEADER), tableFields(image, { size: 4, tables: 1 })]),
    );
    return { sectors: part.capacitySectors, type: "SPARSE", file };
  });
  files["disk.vmdk"] = buildDescriptor({ createType: "twoGbMaxExtentSparse", cid: "5eed0005", extents });
  const pieces = parts.map((part) => overlay(new Uint8Array(part.capacitySectors * SECTOR_SIZE), part));
  const expected = new Uint8Array(pieces.flatMap((piece) => [...piece]));
  return { name: "split-sparse", format: "split", weight: 5, leaf: "disk.vmdk", files, expected, targets };
}

/** Flat extents of one file, a stretch of zeros between. */
function splitFlat(): MutationBase {
  const bytes = pattern({ seed: 40, startSector: 0, sectors: 200 });
  const file = "pieces.bin";
  const expected = new Uint8Array(260 * SECTOR_SIZE);
  expected.set(bytes.subarray(100 * SECTOR_SIZE, 200 * SECTOR_SIZE), 0);
  expected.set(bytes.subarray(0, 96 * SECTOR_SIZE), 164 * SECTOR_SIZE);
  return {
    name: "split-flat",
    format: "split",
    weight: 4,
    leaf: "disk.vmdk",
    files: {
      [file]: bytes,
      "disk.vmdk": buildDescriptor({
        createType: "custom",
        cid: "5eed0006",
        style: { newline: "\r\n" },
        extents: [
          { sectors: 100, type: "FLAT", file, offsetSectors: 100 },
          { sectors: 64, type: "ZERO" },
          { access: "RDONLY", sectors: 96, type: "FLAT", file, offsetSectors: 0 },
        ],
      }),
    },
    expected,
    targets: texts(["disk.vmdk"]),
  };
}

/** A small delta whose two descriptors are the targets. */
function descriptors(): MutationBase {
  const link = linkOf({ grainSectors: 1, seed: 50, count: 60 });
  const style = { blanksAroundEquals: true, paddedBytes: 1024 };
  return {
    name: "descriptors",
    format: "descriptor",
    weight: 8,
    leaf: DELTA,
    files: {
      ...baseFiles({ capacitySectors: SMALL, descriptor: { style } }),
      ...deltaFiles({
        kind: "cowd",
        bytes: buildCowd(link).bytes,
        capacitySectors: SMALL,
        descriptor: { longContentId: "0123456789abcdef012345675eed0002" },
      }),
    },
    expected: overlay(baseDisk(SMALL), link),
    targets: texts([BASE.descriptor, DELTA, DELTA]),
  };
}

/** A delta without redundant directory that carries its descriptor, on a flat base. */
function childInOneFile(): MutationBase {
  const spec: HostedSpec = {
    ...linkOf({ grainSectors: 16, seed: 51, count: 30 }),
    tableEntries: 64,
    redundant: false,
    descriptorSectors: 2,
  };
  const descriptor = buildDescriptor({
    createType: "monolithicSparse",
    cid: "5eed0002",
    parentCid: "5eed0001",
    parentFileNameHint: BASE.descriptor,
    extents: [{ sectors: SMALL, type: "SPARSE", file: DELTA }],
  });
  const image = buildHosted({ ...spec, descriptor });
  return {
    name: "hosted-child-in-one-file",
    format: "hosted",
    weight: 4,
    leaf: DELTA,
    files: { ...baseFiles({ capacitySectors: SMALL }), [DELTA]: image.bytes },
    expected: overlay(baseDisk(SMALL), spec),
    targets: [
      binary(DELTA, [headerFields(HOSTED_HEADER), tableFields(image, { size: 4, tables: 1 })]),
      embeddedText(DELTA, 2),
    ],
  };
}

/** Makes them all; together some 40 MiB. */
export function mutationBases(): MutationBase[] {
  return [
    cowd("cowd-grain-1", 6, {
      capacitySectors: 4096 + 300,
      grainSectors: 1,
      seed: 1,
      grains: [
        ...dataGrains(sequence({ from: 4090, count: 20 })),
        ...mixedGrains({ seed: 1, limit: 4090, count: 90 }),
      ],
    }),
    cowd("cowd-grain-8-slack", 6, {
      capacitySectors: 8 * 150 + 3,
      grainSectors: 8,
      seed: 2,
      gdOffset: 9,
      slackSectors: 50,
      grains: [{ index: 150, kind: "data" }, ...mixedGrains({ seed: 2, limit: 150, count: 60 })],
    }),
    seSparse("sesparse-all-kinds", 7, {
      capacitySectors: 8 * 150 + 5,
      seed: 3,
      grains: [
        { index: 150, kind: "data" },
        ...mixedGrains({ seed: 3, limit: 150, count: 80, unmapped: true }),
      ],
    }),
    seSparse("sesparse-two-tables", 2, {
      capacitySectors: 8 * 4096 + 8 * 20,
      seed: 4,
      grains: [
        { index: 4100, kind: "data" },
        ...mixedGrains({ seed: 4, limit: 300, count: 90, unmapped: true }),
      ],
    }),
    hosted("hosted-version-1", 6, {
      capacitySectors: 16 * 200 + 7,
      grainSectors: 16,
      tableEntries: 64,
      seed: 5,
      grains: dataGrains([0, 63, 64, 65, 199, 128, 127, 200, 10, 11, 12]),
    }),
    hosted("hosted-version-2-not-redundant", 6, {
      capacitySectors: 32 * 64,
      grainSectors: 32,
      redundant: false,
      seed: 6,
      grains: mixedGrains({ seed: 6, limit: 64, count: 40 }),
    }),
    hosted("hosted-version-3-first-touch", 4, {
      capacitySectors: 16 * 140,
      grainSectors: 16,
      tableEntries: 32,
      version: 3,
      tables: "first-touch",
      seed: 7,
      grains: dataGrains([40, 41, 139, 33]),
    }),
    monolithic("hosted-monolithic", 4, {
      capacitySectors: 128 * 9 + 1,
      grainSectors: 128,
      seed: 8,
      grains: mixedGrains({ seed: 8, limit: 9, count: 7 }),
    }),
    childInOneFile(),
    stream("stream-footer", 6, {
      form: "footer",
      capacitySectors: 16 * 40 + 9,
      grainSectors: 16,
      seed: 9,
      grains: packable([0, 1, 7, 8, 9, 30, 39, 40], 16),
    }),
    stream("stream-footer-two-tables", 3, {
      form: "footer",
      directoryInHeader: true,
      progressMarkers: true,
      capacitySectors: 4 * 600,
      grainSectors: 4,
      seed: 10,
      grains: [...packable([0, 1, 511, 512, 599], 4), { index: 3, kind: "zero" }],
    }),
    stream("stream-front", 5, {
      form: "front",
      capacitySectors: 16 * 40,
      grainSectors: 16,
      seed: 11,
      grains: packable([39, 4, 0, 1, 22], 16),
    }),
    stream("stream-front-without-markers", 4, {
      form: "front",
      markers: false,
      capacitySectors: 16 * 40 + 1,
      grainSectors: 16,
      seed: 12,
      grains: packable([39, 4, 40, 1, 22], 16),
    }),
    splitSparse(),
    splitFlat(),
    descriptors(),
    mixedChain(),
  ];
}
