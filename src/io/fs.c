#include "io/fs.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int system_openat(int directory, const char *path, int flags, mode_t mode) {
    return openat(directory, path, flags, mode);
}

static int system_clone_file(int to, int from) { return ioctl(to, FICLONE, from); }

#define SYSTEM_CALLS                                                                                                   \
    {                                                                                                                  \
        .openat = system_openat, .close = close, .pread = pread, .pwrite = pwrite, .fstat = fstat, .fstatat = fstatat, \
        .ftruncate = ftruncate, .fsync = fsync, .futimens = futimens, .renameat = renameat, .unlinkat = unlinkat,      \
        .linkat = linkat, .fchmod = fchmod, .mkdirat = mkdirat, .flock = flock, .mmap = mmap, .munmap = munmap,        \
        .clone_file = system_clone_file, .copy_file_range = copy_file_range, .fdopendir = fdopendir,                   \
        .readdir = readdir, .closedir = closedir                                                                       \
    }
struct shf_fs_seam shf_fs = SYSTEM_CALLS;

void shf_fs_reset(void) { shf_fs = (struct shf_fs_seam)SYSTEM_CALLS; }

int shf_fs_open(int directory, const char *path, int flags, mode_t mode) {
    int fd;
    do fd = shf_fs.openat(directory, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int shf_fs_sync(int fd) {
    int result;
    do result = shf_fs.fsync(fd);
    while (result < 0 && errno == EINTR);
    return result;
}

int shf_fs_lock(int fd, int operation) {
    int result;
    do result = shf_fs.flock(fd, operation);
    while (result < 0 && errno == EINTR);
    return result;
}

int shf_fs_rename(int directory, const char *from, const char *to) {
    int result;
    do result = shf_fs.renameat(directory, from, directory, to);
    while (result < 0 && errno == EINTR);
    return result;
}

int shf_fs_truncate(int fd, uint64_t size) {
    int result;
    do result = shf_fs.ftruncate(fd, (off_t)size);
    while (result < 0 && errno == EINTR);
    return result;
}

void shf_fs_close(int fd) {
    int problem = errno;
    (void)shf_fs.close(fd); /* what must be on the disk was synced before */
    errno = problem;
}

ssize_t shf_fs_read(int fd, void *out, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = shf_fs.pread(fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

int shf_fs_write(int fd, const void *data, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t put = shf_fs.pwrite(fd, (const char *)data + done, size - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR) continue;
        if (put == 0) errno = ENOSPC; /* no progress and no reason: do not spin */
        if (put <= 0) return -1;
        done += (size_t)put;
    }
    return 0;
}

DIR *shf_fs_open_names(int directory, const char *path, int extra_flags) {
    int fd = shf_fs_open(directory, path, O_RDONLY | O_DIRECTORY | extra_flags, 0);
    if (fd < 0) return NULL;
    DIR *names = shf_fs.fdopendir(fd);
    if (!names) shf_fs_close(fd);
    return names;
}

shf_status shf_fs_status(int problem) {
    switch (problem) {
    case ENOENT:
    case ENOTDIR: return SHF_E_NOT_FOUND;
    case EACCES:
    case EPERM: return SHF_E_ACCESS;
    case ENOMEM: return SHF_E_NO_MEMORY;
    default: return SHF_E_LOCAL;
    }
}

static const char *advice(int problem) {
    switch (problem) {
    case ENOSPC:
    case EDQUOT: return "; free space there, or choose another place (of the cache: local_root)";
    case EMFILE:
    case ENFILE: return "; raise the limit of open files (ulimit -n): every file of the cache in use holds one";
    case EROFS:
    case ENOLCK:
    case ENOSYS:
    case EOPNOTSUPP: return "; choose another place (of the cache: local_root)";
    case EACCES:
    case EPERM: return "; check owner and permissions";
    case EISDIR:
    case ENOTEMPTY: return "; a directory is in its place: remove it";
    case EIO: return "; check the disk";
    case ENOMEM: return "; free memory, or raise vm.max_map_count when very many files are mapped";
    default: return "";
    }
}

shf_status(shf_fs_error)(struct shf_error **error, shf_status code, int problem, const char *format, ...) {
    char text[SHF_LIMIT_ERROR_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments); /* a cut message is still a message */
    va_end(arguments);
    const char *why =
        strerror(problem); /* NOLINT(concurrency-mt-unsafe): a buffer a thread, in every libc that has threads */
    return shf_error_set(error, problem == ENOMEM ? SHF_E_NO_MEMORY : code, "%s: %s%s", text, why, advice(problem));
}
