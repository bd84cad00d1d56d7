// Makes one call of the file system fail: preloaded (LD_PRELOAD) into a program by
// `Scripts/faults/inject.py`.
//
// BITPLAN_FAULT_CALL     open, read, write, rename, fsync, mmap or ftruncate
// BITPLAN_FAULT_PREFIX   only calls on files whose path starts so count
// BITPLAN_FAULT_NUMBER   the call that fails, from 1
// BITPLAN_FAULT_ERROR    its errno
// BITPLAN_FAULT_LASTS    1: every later one fails too, as on a full disk
// BITPLAN_FAULT_LOG      a file that a line is added to when a call fails: the call and the path
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int calls;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

// Whether this call on `path` is to fail; sets errno and says so in the log then.
static int fails(const char *call, const char *path) {
    const char *prefix = setting("BITPLAN_FAULT_PREFIX");
    if (!path || !*prefix || strcmp(call, setting("BITPLAN_FAULT_CALL")) != 0) return 0;
    if (strncmp(path, prefix, strlen(prefix)) != 0) return 0;
    int number = atomic_fetch_add(&calls, 1) + 1;
    int chosen = atoi(setting("BITPLAN_FAULT_NUMBER"));
    if (number != chosen && !(number > chosen && atoi(setting("BITPLAN_FAULT_LASTS")))) return 0;
    char line[4352];
    int length = snprintf(line, sizeof line, "%s %d %s\n", call, number, path);
    // Past the functions below, which would count the log's own calls.
    int log = (int)syscall(SYS_openat, AT_FDCWD, setting("BITPLAN_FAULT_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (log >= 0) {
        syscall(SYS_write, log, line, length);
        syscall(SYS_close, log);
    }
    errno = atoi(setting("BITPLAN_FAULT_ERROR"));
    return 1;
}

static int descriptor_fails(const char *call, int descriptor) {
    if (strcmp(call, setting("BITPLAN_FAULT_CALL")) != 0) return 0;
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

static int at_fails(const char *call, int directory, const char *path) {
    // Paths of the tests are absolute.
    return (directory == AT_FDCWD || (path && path[0] == '/')) && fails(call, path);
}

// The library's own function of this name.
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define MODE(flags)                                       \
    mode_t mode = 0;                                      \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {              \
        va_list rest;                                     \
        va_start(rest, flags);                            \
        mode = va_arg(rest, mode_t);                      \
        va_end(rest);                                     \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return fails("open", path) ? -1 : NEXT(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return fails("open", path) ? -1 : NEXT(open64)(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
    MODE(flags)
    return at_fails("open", directory, path) ? -1 : NEXT(openat)(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) {
    MODE(flags)
    return at_fails("open", directory, path) ? -1 : NEXT(openat64)(directory, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode) { return fails("open", path) ? NULL : NEXT(fopen)(path, mode); }

FILE *fopen64(const char *path, const char *mode) { return fails("open", path) ? NULL : NEXT(fopen64)(path, mode); }

ssize_t read(int descriptor, void *bytes, size_t count) {
    return descriptor_fails("read", descriptor) ? -1 : NEXT(read)(descriptor, bytes, count);
}

ssize_t pread(int descriptor, void *bytes, size_t count, off_t offset) {
    return descriptor_fails("read", descriptor) ? -1 : NEXT(pread)(descriptor, bytes, count, offset);
}

ssize_t pread64(int descriptor, void *bytes, size_t count, off64_t offset) {
    return descriptor_fails("read", descriptor) ? -1 : NEXT(pread64)(descriptor, bytes, count, offset);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    return descriptor_fails("write", descriptor) ? -1 : NEXT(write)(descriptor, bytes, count);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return descriptor_fails("write", descriptor) ? -1 : NEXT(pwrite)(descriptor, bytes, count, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    return descriptor_fails("write", descriptor) ? -1 : NEXT(pwrite64)(descriptor, bytes, count, offset);
}

ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t count, unsigned flags) {
    return descriptor_fails("write", to) ? -1 : NEXT(copy_file_range)(from, a, to, b, count, flags);
}

int rename(const char *from, const char *to) { return fails("rename", to) ? -1 : NEXT(rename)(from, to); }

int renameat(int a, const char *from, int b, const char *to) {
    return at_fails("rename", b, to) ? -1 : NEXT(renameat)(a, from, b, to);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return at_fails("rename", b, to) ? -1 : NEXT(renameat2)(a, from, b, to, flags);
}

int fsync(int descriptor) { return descriptor_fails("fsync", descriptor) ? -1 : NEXT(fsync)(descriptor); }

int fdatasync(int descriptor) { return descriptor_fails("fsync", descriptor) ? -1 : NEXT(fdatasync)(descriptor); }

int ftruncate(int descriptor, off_t size) {
    return descriptor_fails("ftruncate", descriptor) ? -1 : NEXT(ftruncate)(descriptor, size);
}

int ftruncate64(int descriptor, off64_t size) {
    return descriptor_fails("ftruncate", descriptor) ? -1 : NEXT(ftruncate64)(descriptor, size);
}

void *mmap(void *address, size_t length, int access, int flags, int descriptor, off_t offset) {
    // Memory without a file does not come from the disk; the sanitizers and the loader map it before dlsym
    // works.
    if (descriptor >= 0 && descriptor_fails("mmap", descriptor)) return MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, length, access, flags, descriptor, offset);
}

void *mmap64(void *address, size_t length, int access, int flags, int descriptor, off64_t offset) {
    return mmap(address, length, access, flags, descriptor, offset);
}
