/*
 * What a disk and a C compiler give: applies one delta to a raw image, on one thread, and checks nothing.
 *
 *     apply_loop DELTA TARGET [UNDO]
 *
 * It walks the tables in order, joins grains that continue each other in the disk and in the delta, moves each run
 * by pread and pwrite through one buffer, and ends with fsync. With UNDO, a new file, what stood in the target is
 * appended to it before each overwrite, bare and in order; it is synced once, at the end. Only whole images of the
 * three formats with tables are known (COWD, hosted sparse, SESparse), and only as the generators of
 * fixtures/bench.ts write them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define MAX_TABLE_BYTES 32768
#define BUFFER_BYTES ((size_t)1 << 20)

enum kind { NOTHING, ZERO, DATA };

struct format {
  uint64_t capacity;      /* sectors of the disk */
  uint64_t grain;         /* sectors */
  uint64_t directory;     /* file sector */
  uint32_t entry_bytes;   /* of directory and tables alike */
  uint32_t table_entries;
  uint64_t tables;        /* SESparse: file sector of table 0 */
  uint64_t grains;        /* SESparse: file sector of grain 0 */
};

struct run {
  enum kind kind;
  uint64_t start;   /* sector of the disk */
  uint64_t place;   /* sector of the delta */
  uint64_t length;  /* sectors */
};

static int delta, target, undo = -1;
static char *buffer, *old;

static void fail(const char *what) {
  fprintf(stderr, "apply_loop: %s: %s\n", what, errno ? strerror(errno) : "not as expected");
  exit(1);
}

static void read_all(int file, void *to, size_t length, uint64_t offset) {
  for (char *at = to; length > 0;) {
    ssize_t got = pread(file, at, length, (off_t)offset);
    if (got <= 0) fail("read");
    at += got, offset += (uint64_t)got, length -= (size_t)got;
  }
}

static void write_all(const char *from, size_t length, uint64_t offset) {
  while (length > 0) {
    ssize_t put = pwrite(target, from, length, (off_t)offset);
    if (put <= 0) fail("write");
    from += put, offset += (uint64_t)put, length -= (size_t)put;
  }
}

/* Appends what stands in the target to the undo file. */
static void save(size_t length, uint64_t offset) {
  read_all(target, old, length, offset);
  for (size_t done = 0; done < length;) {
    ssize_t put = write(undo, old + done, length - done);
    if (put <= 0) fail("undo");
    done += (size_t)put;
  }
}

static void move(const struct run *run) {
  if (run->kind == NOTHING) return;
  if (run->kind == ZERO) memset(buffer, 0, BUFFER_BYTES);
  uint64_t bytes = run->length * SECTOR;
  for (uint64_t done = 0; done < bytes;) {
    size_t step = bytes - done < BUFFER_BYTES ? (size_t)(bytes - done) : BUFFER_BYTES;
    if (run->kind == DATA) read_all(delta, buffer, step, run->place * SECTOR + done);
    if (undo >= 0) save(step, run->start * SECTOR + done);
    write_all(buffer, step, run->start * SECTOR + done);
    done += step;
  }
}

/* Adds a grain to the open run, or moves the run and opens another. */
static void add(struct run *open, struct run grain) {
  int continues = open->kind == grain.kind && open->start + open->length == grain.start &&
                  (grain.kind != DATA || open->place + open->length == grain.place);
  if (continues) {
    open->length += grain.length;
    return;
  }
  move(open);
  *open = grain;
}

static uint32_t u32(const char *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static uint64_t u64(const char *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static struct format read_format(void) {
  char head[SECTOR];
  read_all(delta, head, sizeof head, 0);
  if (memcmp(head, "COWD", 4) == 0) {
    return (struct format){.capacity = u32(head + 12), .grain = u32(head + 16), .directory = u32(head + 20),
                           .entry_bytes = 4, .table_entries = 4096};
  }
  if (memcmp(head, "KDMV", 4) == 0) {
    return (struct format){.capacity = u64(head + 12), .grain = u64(head + 20), .directory = u64(head + 56),
                           .entry_bytes = 4, .table_entries = u32(head + 44)};
  }
  if (u64(head) == 0xcafebabe) {
    return (struct format){.capacity = u64(head + 16), .grain = u64(head + 24), .directory = u64(head + 128),
                           .entry_bytes = 8, .table_entries = 4096, .tables = u64(head + 144),
                           .grains = u64(head + 192)};
  }
  fail("format");
  abort();
}

/* File sector of the table that entry `index` of the directory names, 0 when there is none. */
static uint64_t table_sector(const struct format *format, const char *directory, uint64_t index) {
  if (format->entry_bytes == 4) return u32(directory + index * 4);
  uint64_t entry = u64(directory + index * 8);
  return entry == 0 ? 0 : format->tables + (entry & 0xffffffff) * (format->table_entries * 8 / SECTOR);
}

static int is_hole(const struct format *format, const char *entry) {
  return format->entry_bytes == 4 ? u32(entry) == 0 : u64(entry) == 0;
}

/* The grain of an entry that is no hole. */
static struct run decode(const struct format *format, const char *entry, uint64_t start) {
  struct run grain = {NOTHING, start, 0, format->grain};
  if (grain.length > format->capacity - start) grain.length = format->capacity - start;
  if (format->entry_bytes == 4) {
    grain.place = u32(entry);
    grain.kind = grain.place == 1 ? ZERO : DATA;
    return grain;
  }
  uint64_t value = u64(entry);
  grain.kind = value >> 60 == 3 ? DATA : ZERO;
  grain.place = format->grains + (((value >> 48) & 0xfff) | ((value & 0xffffffffffff) << 12)) * format->grain;
  return grain;
}

static void apply(const struct format *format) {
  uint64_t span = format->table_entries * format->grain;
  uint64_t count = (format->capacity + span - 1) / span;
  size_t table_bytes = (size_t)format->table_entries * format->entry_bytes;
  if (table_bytes > MAX_TABLE_BYTES) fail("table");
  static char table[MAX_TABLE_BYTES];
  char *directory = malloc(count * format->entry_bytes);
  if (!directory) fail("memory");
  read_all(delta, directory, count * format->entry_bytes, format->directory * SECTOR);
  struct run open = {NOTHING, 0, 0, 0};
  for (uint64_t index = 0; index < count; index++) {
    uint64_t sector = table_sector(format, directory, index);
    if (sector == 0) continue;
    read_all(delta, table, table_bytes, sector * SECTOR);
    for (uint32_t entry = 0; entry < format->table_entries; entry++) {
      uint64_t start = index * span + entry * format->grain;
      if (start >= format->capacity) break;
      const char *at = table + entry * format->entry_bytes;
      if (!is_hole(format, at)) add(&open, decode(format, at, start));
    }
  }
  move(&open);
  free(directory);
}

static int open_file(const char *path, int flags) {
  int file = open(path, flags, 0644);
  if (file < 0) fail(path);
  return file;
}

int main(int argc, char **argv) {
  if (argc < 3 || argc > 4) {
    fprintf(stderr, "apply_loop DELTA TARGET [UNDO]\n");
    return 2;
  }
  if (posix_memalign((void **)&buffer, 4096, BUFFER_BYTES) != 0) fail("memory");
  if (posix_memalign((void **)&old, 4096, BUFFER_BYTES) != 0) fail("memory");
  delta = open_file(argv[1], O_RDONLY);
  target = open_file(argv[2], O_RDWR);
  if (argc == 4) undo = open_file(argv[3], O_WRONLY | O_CREAT | O_EXCL);
  struct format format = read_format();
  apply(&format);
  if (undo >= 0 && fdatasync(undo) != 0) fail("fdatasync");
  if (fsync(target) != 0) fail("fsync");
  return 0;
}
