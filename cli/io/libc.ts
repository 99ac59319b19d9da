/**
 * What is used of libc: its functions, numbers and layouts, as they are on every 64-bit little-endian Linux.
 *
 * Numbers that differ between x86-64 and aarch64 (O_DIRECT, O_DIRECTORY, `struct stat`) are not used at all.
 */
import { errnoName } from "./errno.ts";

/** Functions, as FFI declares them. Variadic ones are called as plain ones: on these processors that is the same. */
export const LIBC_SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  // The result is an ssize_t; nobody asks for 2 GiB at once, so 32 bits hold it and V8 need not make a bigint.
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  fsync: { parameters: ["i32"], result: "i32" },
  // Returns the error number itself and leaves errno alone.
  posix_fadvise: { parameters: ["i32", "i64", "i64", "i32"], result: "i32" },
  access: { parameters: ["buffer", "i32"], result: "i32" },
  statfs: { parameters: ["buffer", "buffer"], result: "i32" },
  fstatfs: { parameters: ["i32", "buffer"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  fcntlNumber: { name: "fcntl", parameters: ["i32", "i32", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "i32" },
  realpath: { parameters: ["buffer", "buffer"], result: "pointer" },
  listxattr: { parameters: ["buffer", "buffer", "usize"], result: "i32" },
  getxattr: { parameters: ["buffer", "buffer", "buffer", "usize"], result: "i32" },
  setxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  opendir: { parameters: ["buffer"], result: "pointer" },
  readdir: { parameters: ["pointer"], result: "pointer" },
  closedir: { parameters: ["pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Symbols = Deno.DynamicLibrary<typeof LIBC_SYMBOLS>["symbols"];

/** libc, and the name of the error of the last call that failed: look before anything else is called. */
export type Libc = Symbols & { readonly errno: () => string };

/**
 * What every command calls. To declare a function costs a third of a millisecond, because Deno compiles a way into it;
 * the others are declared when they are called for the first time.
 */
const CALLED_BY_ALL = [
  ...["__errno_location", "open", "close", "pread", "statx", "realpath", "readlink"],
] as const satisfies readonly (keyof Symbols)[];

export const O_RDONLY = 0;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_CLOEXEC = 0o2000000;
/** A place in the tree of files, without opening what is there. */
export const O_PATH = 0o10000000;

export const SEEK_END = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;
export const FALLOC_FL_ZERO_RANGE = 16;

/** `statfs(2)`: a file system that a program serves. */
export const FUSE_SUPER_MAGIC = 0x65735546n;

/** Forgets what is held of a file in memory, as far as it is on the medium already. */
export const POSIX_FADV_DONTNEED = 4;
/** `struct statfs`: the kind of file system stands first, as a word of 64 bits; what follows is not used. */
export const STATFS_BYTES = 256;
/** Kinds of file systems that are memory: tmpfs, ramfs, hugetlbfs (`linux/magic.h`). */
export const MEMORY_FILE_SYSTEMS: ReadonlySet<bigint> = new Set([0x01021994n, 0x858458f6n, 0x958458f6n]);

/** `struct pollfd`: descriptor as i32, what is asked and what is so as i16 each. There is something to read. */
export const POLLIN = 1;

export const LOCK_SH = 1;
export const LOCK_UN = 8;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
/** Sets a lock that belongs to the open file, not to the process. */
export const F_OFD_SETLK = 37;
/** Asks whether a lock could be set: the answer is written over what is asked. */
export const F_OFD_GETLK = 36;
/** Kinds of locks in `struct flock`, its first field as i16: read, write, none. */
export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;
/** Sets the bytes that a pipe can hold. */
export const F_SETPIPE_SZ = 1031;
/** `struct flock`: type 1 (F_WRLCK) and whence 0 (SEEK_SET) as i16; start 0 at +8; length 0, the whole, at +16. */
export const WRITE_LOCK_WHOLE_FILE = new Uint8Array(32).fill(1, 0, 1);
/**
 * One byte far past the end of any file, which regrain alone locks (start at +8, length at +16). File systems of the
 * network make one lock of `flock` and of those that QEMU takes; this byte tells a run of regrain all the same.
 */
export const WRITE_LOCK_OWN_BYTE = ownByteLock();

function ownByteLock(): Uint8Array<ArrayBuffer> {
  const lock = new DataView(new ArrayBuffer(32));
  lock.setInt16(0, 1, true);
  lock.setBigInt64(8, 0x5245_4752_4149_4e00n, true);
  lock.setBigInt64(16, 1n, true);
  return new Uint8Array(lock.buffer);
}
/** File systems of the network: NFS, CIFS, SMB2 (`linux/magic.h`). */
export const NETWORK_FILE_SYSTEMS: ReadonlySet<bigint> = new Set([0x6969n, 0xff534d42n, 0xfe534d42n]);

/** Gets the size of a block device, u64 bytes. */
export const BLKGETSIZE64 = 0x80081272n;
/** Gets the logical block of a device, i32 bytes. */
export const BLKSSZGET = 0x1268n;
/** Writes out what is held of a device in memory, and forgets it. Needs CAP_SYS_ADMIN. */
export const BLKFLSBUF = 0x1261n;
/** Zeroes a stretch of a device: u64 start and u64 length, in bytes. */
export const BLKZEROOUT = 0x127fn;

/** What a function is called in the library: some are declared twice. */
export function nameInLibrary(name: keyof Symbols): string {
  const symbol = LIBC_SYMBOLS[name];
  return "name" in symbol ? symbol.name : name;
}

type Names = readonly (keyof Symbols)[];

/**
 * The functions of a library that linux.ts loads.
 *
 * @param load Declares functions by their names, and makes sure that others are there.
 * @throws {Error} when one of them all is missing: later would be too late for that.
 */
export function wrapLibc(load: (functions: Names, others: Names) => Partial<Symbols>): Libc {
  const names = Object.keys(LIBC_SYMBOLS) as (keyof Symbols)[];
  const isLate = (name: keyof Symbols) => !(CALLED_BY_ALL as Names).includes(name);
  const late = names.filter(isLate);
  const symbols = { ...load(names.filter((name) => !isLate(name)), late) } as Symbols;
  for (const name of late) declareLate(symbols, name, () => load([name], [])[name]);
  return Object.assign(symbols, { errno: errnoReader(symbols.__errno_location()) });
}

/** Makes a function that is declared by its first use, and a plain member from then on. */
function declareLate(symbols: Symbols, name: keyof Symbols, declare: () => unknown): void {
  Object.defineProperty(symbols, name, {
    configurable: true,
    enumerable: true,
    get() {
      const value = declare();
      Object.defineProperty(symbols, name, { value, configurable: true, enumerable: true });
      return value;
    },
  });
}

/** A thread's errno never moves and an isolate stays on its thread, so no call stands between failure and look. */
function errnoReader(location: Deno.PointerValue): () => string {
  if (location === null) throw new Error("libc has no errno");
  const view = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, 4));
  return () => errnoName(view[0]!);
}

const encoder = new TextEncoder();

/** A string as C has them. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${text}\0`);
}

/** Calls again for as long as a signal interrupts. */
export function untilDone(libc: Libc, call: () => number): number {
  let result: number;
  do {
    result = call();
  } while (result < 0 && libc.errno() === "EINTR");
  return result;
}
