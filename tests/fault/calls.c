#include "fault/calls.h"

#include "io/fs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

static struct shf_fs_seam real;
static atomic_uint seen[CALLS], failed;
static atomic_bool is_armed;
static struct call_fault armed; /* written while no thread of the library runs, or before is_armed */

/* 0, or the problem that this call is to have. */
static int meet(enum call call) {
    if (!atomic_load(&is_armed)) return 0;
    unsigned ordinal = atomic_fetch_add(&seen[call], 1) + 1;
    if (armed.call != call || armed.ordinal == 0 || ordinal < armed.ordinal) return 0;
    if (ordinal > armed.ordinal && !armed.for_ever) return 0;
    atomic_fetch_add(&failed, 1);
    if (armed.problem > 0) errno = armed.problem;
    return armed.problem;
}

static int fault_openat(int directory, const char *path, int flags, mode_t mode) {
    return meet(CALL_OPENAT) ? -1 : real.openat(directory, path, flags, mode);
}

/* What gives something back gives it back even so, as Linux does. */
static int fault_close(int fd) {
    int problem = meet(CALL_CLOSE), result = real.close(fd);
    if (problem) errno = problem;
    return problem ? -1 : result;
}
static int fault_munmap(void *address, size_t size) {
    int problem = meet(CALL_MUNMAP), result = real.munmap(address, size);
    if (problem) errno = problem;
    return problem ? -1 : result;
}
static int fault_closedir(DIR *directory) {
    int problem = meet(CALL_CLOSEDIR), result = real.closedir(directory);
    if (problem) errno = problem;
    return problem ? -1 : result;
}

static size_t half(size_t size) { return size > 1 ? size / 2 : size; }

static ssize_t fault_pread(int fd, void *out, size_t size, off_t offset) {
    int problem = meet(CALL_PREAD);
    if (problem == PROBLEM_END) return 0;
    if (problem > 0) return -1;
    return real.pread(fd, out, problem == PROBLEM_SHORT ? half(size) : size, offset);
}
static ssize_t fault_pwrite(int fd, const void *data, size_t size, off_t offset) {
    int problem = meet(CALL_PWRITE);
    if (problem > 0) return -1;
    return real.pwrite(fd, data, problem == PROBLEM_SHORT ? half(size) : size, offset);
}
static ssize_t fault_copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t size, unsigned flags) {
    int problem = meet(CALL_COPY_FILE_RANGE);
    if (problem == PROBLEM_END) return 0;
    if (problem > 0) return -1;
    size_t moved = problem == PROBLEM_SHORT ? half(size) : size;
    return real.copy_file_range(from, from_offset, to, to_offset, moved, flags);
}

static int fault_fstat(int fd, struct stat *out) { return meet(CALL_FSTAT) ? -1 : real.fstat(fd, out); }
static int fault_fstatat(int directory, const char *path, struct stat *out, int flags) {
    return meet(CALL_FSTATAT) ? -1 : real.fstatat(directory, path, out, flags);
}
static int fault_ftruncate(int fd, off_t size) { return meet(CALL_FTRUNCATE) ? -1 : real.ftruncate(fd, size); }
static int fault_fsync(int fd) {
    (void)fd;
    return meet(CALL_FSYNC) ? -1 : 0;
}
static int fault_futimens(int fd, const struct timespec times[2]) {
    return meet(CALL_FUTIMENS) ? -1 : real.futimens(fd, times);
}
static int fault_renameat(int from_directory, const char *from, int to_directory, const char *to) {
    return meet(CALL_RENAMEAT) ? -1 : real.renameat(from_directory, from, to_directory, to);
}
static int fault_unlinkat(int directory, const char *path, int flags) {
    return meet(CALL_UNLINKAT) ? -1 : real.unlinkat(directory, path, flags);
}
static int fault_linkat(int from_directory, const char *from, int to_directory, const char *to, int flags) {
    return meet(CALL_LINKAT) ? -1 : real.linkat(from_directory, from, to_directory, to, flags);
}
static int fault_fchmod(int fd, mode_t mode) { return meet(CALL_FCHMOD) ? -1 : real.fchmod(fd, mode); }
static int fault_mkdirat(int directory, const char *path, mode_t mode) {
    return meet(CALL_MKDIRAT) ? -1 : real.mkdirat(directory, path, mode);
}
static int fault_flock(int fd, int operation) { return meet(CALL_FLOCK) ? -1 : real.flock(fd, operation); }
static void *fault_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    return meet(CALL_MMAP) ? MAP_FAILED : real.mmap(address, size, protection, flags, fd, offset);
}
static int fault_clone_file(int to, int from) { return meet(CALL_CLONE_FILE) ? -1 : real.clone_file(to, from); }
static DIR *fault_fdopendir(int fd) { return meet(CALL_FDOPENDIR) ? NULL : real.fdopendir(fd); }
static struct dirent *fault_readdir(DIR *directory) { return meet(CALL_READDIR) ? NULL : real.readdir(directory); }

void calls_install(void) {
    shf_fs_reset();
    real = shf_fs;
    shf_fs = (struct shf_fs_seam){.openat = fault_openat,
                                  .close = fault_close,
                                  .pread = fault_pread,
                                  .pwrite = fault_pwrite,
                                  .fstat = fault_fstat,
                                  .fstatat = fault_fstatat,
                                  .ftruncate = fault_ftruncate,
                                  .fsync = fault_fsync,
                                  .futimens = fault_futimens,
                                  .renameat = fault_renameat,
                                  .unlinkat = fault_unlinkat,
                                  .linkat = fault_linkat,
                                  .fchmod = fault_fchmod,
                                  .mkdirat = fault_mkdirat,
                                  .flock = fault_flock,
                                  .mmap = fault_mmap,
                                  .munmap = fault_munmap,
                                  .clone_file = fault_clone_file,
                                  .copy_file_range = fault_copy_file_range,
                                  .fdopendir = fault_fdopendir,
                                  .readdir = fault_readdir,
                                  .closedir = fault_closedir};
}

void calls_arm(const struct call_fault *fault) {
    atomic_store(&is_armed, false);
    for (int i = 0; i < CALLS; i++) atomic_store(&seen[i], 0);
    atomic_store(&failed, 0);
    armed = fault ? *fault : (struct call_fault){.ordinal = 0};
    atomic_store(&is_armed, true);
}

void calls_disarm(void) { atomic_store(&is_armed, false); }
uint32_t calls_seen(enum call call) { return atomic_load(&seen[call]); }
uint32_t calls_failed(void) { return atomic_load(&failed); }

const char *calls_name(enum call call) {
    static const char *const names[CALLS] = {
        "openat",   "close",      "pread",           "pwrite",    "fstat",   "fstatat", "ftruncate", "fsync",
        "futimens", "renameat",   "unlinkat",        "linkat",    "fchmod",  "mkdirat", "flock",     "mmap",
        "munmap",   "clone_file", "copy_file_range", "fdopendir", "readdir", "closedir"};
    return names[call];
}

const char *calls_problem_name(int problem) {
    switch (problem) {
    case EIO: return "EIO";
    case ENOSPC: return "ENOSPC";
    case EINTR: return "EINTR";
    case EACCES: return "EACCES";
    case EMFILE: return "EMFILE";
    case ENOMEM: return "ENOMEM";
    case ENOLCK: return "ENOLCK";
    case EXDEV: return "EXDEV";
    case PROBLEM_SHORT: return "half of it";
    case PROBLEM_END: return "end of file";
    default: return "?";
    }
}
