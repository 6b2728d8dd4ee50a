/*
 * The file-system seam: the system calls that io makes on files, so that tests can make each of them fail; and the
 * few helpers that every caller needs: EINTR is called again, short transfers go on, an errno becomes a sentence.
 */
#ifndef SHF_IO_FS_H
#define SHF_IO_FS_H

#include "base/error.h"

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/* Same meaning as the call of the same name; clone_file is ioctl(FICLONE). */
struct shf_fs_seam {
    int (*openat)(int directory, const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *out, size_t size, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
    int (*fstat)(int fd, struct stat *out);
    int (*fstatat)(int directory, const char *path, struct stat *out, int flags);
    int (*ftruncate)(int fd, off_t size);
    int (*fsync)(int fd);
    int (*fchmod)(int fd, mode_t mode);
    int (*futimens)(int fd, const struct timespec times[2]);
    int (*renameat)(int from_directory, const char *from, int to_directory, const char *to);
    int (*unlinkat)(int directory, const char *path, int flags);
    int (*linkat)(int from_directory, const char *from, int to_directory, const char *to, int flags);
    int (*mkdirat)(int directory, const char *path, mode_t mode);
    int (*flock)(int fd, int operation);
    void *(*mmap)(void *address, size_t size, int protection, int flags, int fd, off_t offset);
    int (*munmap)(void *address, size_t size);
    int (*clone_file)(int to, int from);
    ssize_t (*copy_file_range)(int from, off_t *from_offset, int to, off_t *to_offset, size_t size, unsigned flags);
    DIR *(*fdopendir)(int fd);
    struct dirent *(*readdir)(DIR *directory);
    int (*closedir)(DIR *directory);
};
extern struct shf_fs_seam shf_fs; /* the system's unless a test replaced members */
void shf_fs_reset(void);

/* ---- calls that go on after EINTR; -1 and errno on failure ---- */

int shf_fs_open(int directory, const char *path, int flags, mode_t mode);
int shf_fs_sync(int fd);
int shf_fs_lock(int fd, int operation);
int shf_fs_rename(int directory, const char *from, const char *to);
int shf_fs_truncate(int fd, uint64_t size);
/* Keeps errno. The descriptor is gone whatever close says. */
void shf_fs_close(int fd);
/* How many bytes: fewer than asked for at the end of the file only. */
ssize_t shf_fs_read(int fd, void *out, size_t size, uint64_t offset);
/* 0 when all is written. */
int shf_fs_write(int fd, const void *data, size_t size, uint64_t offset);

/* Opens a directory's list of names; NULL and errno on failure. Read it with shf_fs.readdir, end with closedir. */
DIR *shf_fs_open_names(int directory, const char *path, int extra_flags);

static inline int64_t shf_fs_modified_ns(const struct stat *status) {
    return (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
}

/* What a failure on an object means: NOT_FOUND, ACCESS, NO_MEMORY or LOCAL. */
shf_status shf_fs_status(int problem);
/* "TEXT: why; what to do". `code` gives way to SHF_E_NO_MEMORY when problem is ENOMEM. */
shf_status shf_fs_error(struct shf_error **error, shf_status code, int problem, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));
#define shf_fs_error(...) shf_failed(shf_fs_error(__VA_ARGS__))

#endif
