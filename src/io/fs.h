/* The file-system seam: the system calls that io makes on files, so that tests can make each of them fail. */
#ifndef SHF_IO_FS_H
#define SHF_IO_FS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Same meaning as the call of the same name (EINTR is retried by the callers in io). */
struct shf_fs_seam {
    int (*openat)(int directory, const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *out, size_t size, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
    int (*fstat)(int fd, struct stat *out);
    int (*ftruncate)(int fd, off_t size);
    int (*fsync)(int fd);
    int (*renameat)(int from_directory, const char *from, int to_directory, const char *to);
    int (*unlinkat)(int directory, const char *path, int flags);
    int (*mkdirat)(int directory, const char *path, mode_t mode);
    int (*flock)(int fd, int operation);
    void *(*mmap)(void *address, size_t size, int protection, int flags, int fd, off_t offset);
    int (*munmap)(void *address, size_t size);
};
extern struct shf_fs_seam shf_fs; /* the system's unless a test replaced members */
void shf_fs_reset(void);

#endif
