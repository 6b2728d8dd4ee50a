#include "io/copy_file.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "io/disk_cache.h"
#include "io/fs.h"

#include <errno.h>
#include <fcntl.h>

#define KERNEL_PIECE_BYTES (UINT64_C(64) << 20) /* between two looks at the token */
#define BUFFER_BYTES (UINT64_C(256) << 10)

shf_status shf_copy_check(const struct shf_cancel *cancel, int64_t deadline_ns, const char *name,
                          struct shf_error **error) {
    if (shf_cancel_requested(cancel)) return shf_error_set(error, SHF_E_CANCELLED, "reading %s was cancelled", name);
    if (shf_deadline_over(deadline_ns)) {
        return shf_error_set(error, SHF_E_DEADLINE, "reading %s: the time given to the operation is over", name);
    }
    return SHF_OK;
}

/* The kernel can not copy between these two; bytes through a buffer may still go. */
static bool kernel_declines(int problem) {
    switch (problem) {
    case EXDEV:
    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
    case EPERM:
    case ETXTBSY:
    case EBADF:
    case EISDIR: return true;
    default: return false;
    }
}

static shf_status copy_in_kernel(const struct shf_copy *copy, const char *name, uint64_t *done, struct shf_error **error) {
    off_t from_offset = (off_t)copy->from_offset, to_offset = 0;
    while (*done < copy->size) {
        shf_status status = shf_copy_check(copy->cancel, copy->deadline_ns, name, error);
        if (status) return status;
        uint64_t piece = copy->size - *done < KERNEL_PIECE_BYTES ? copy->size - *done : KERNEL_PIECE_BYTES;
        ssize_t got = shf_fs.copy_file_range(copy->from, &from_offset, copy->to, &to_offset, (size_t)piece, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && !kernel_declines(errno)) {
            return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot copy %s to %s", name,
                                copy->to_name ? copy->to_name : "a local file");
        }
        if (got <= 0) break; /* some file systems answer 0 where there are bytes: reading tells */
        *done += (uint64_t)got;
    }
    return SHF_OK;
}

static shf_status copy_through_buffer(const struct shf_copy *copy, const char *name, uint64_t *done,
                                      struct shf_error **error) {
    shf_status status = SHF_OK;
    if (*done == copy->size) return SHF_OK;
    unsigned char *buffer = shf_alloc(BUFFER_BYTES);
    if (!buffer) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to copy %s", name);
    while (*done < copy->size) {
        status = shf_copy_check(copy->cancel, copy->deadline_ns, name, error);
        if (status) break;
        uint64_t piece = copy->size - *done < BUFFER_BYTES ? copy->size - *done : BUFFER_BYTES;
        ssize_t got = shf_fs_read(copy->from, buffer, (size_t)piece, copy->from_offset + *done);
        if (got < 0) status = shf_fs_error(error, shf_fs_status(errno), errno, "cannot read %s", name);
        if (got <= 0) break;
        if (shf_fs_write(copy->to, buffer, (size_t)got, *done) < 0) {
            int problem = errno;
            status = copy->to_name
                         ? shf_fs_error(error, SHF_E_LOCAL, problem, "cannot write %s", copy->to_name)
                         : shf_fs_error(error, SHF_E_LOCAL, problem, "cannot write the local copy of %s", name);
            break;
        }
        *done += (uint64_t)got;
    }
    shf_free(buffer);
    return status;
}

shf_status shf_copy_run(const struct shf_copy *copy, const char *name, uint64_t *copied, struct shf_error **error) {
    uint64_t done = 0;
    shf_status status = shf_copy_check(copy->cancel, copy->deadline_ns, name, error);
    if (status) return status;
    if (copy->is_whole && shf_fs.clone_file(copy->to, copy->from) == 0) {
        *copied = copy->size;
        return SHF_OK;
    }
    status = copy_in_kernel(copy, name, &done, error);
    if (!status) status = copy_through_buffer(copy, name, &done, error);
    if (!status) *copied = done;
    return status;
}

shf_status shf_copy_check_same(int fd, const struct stat *before, const char *name, const char *did,
                               struct shf_error **error) {
    struct stat after;
    if (shf_fs.fstat(fd, &after) != 0) {
        return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot look at %s, which was %s", name, did);
    }
    if (after.st_size != before->st_size || shf_fs_modified_ns(&after) != shf_fs_modified_ns(before)) {
        return shf_error_set(error, SHF_E_STORE_RETRY, "%s changed while it was %s; try again", name, did);
    }
    return SHF_OK;
}

shf_status shf_copy_file(const char *path, int fd, struct shf_error **error) {
    struct stat before;
    uint64_t copied = 0;
    shf_status status = SHF_OK;
    int from = shf_fs_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
    if (from < 0) return shf_fs_error(error, shf_fs_status(errno), errno, "cannot open %s", path);
    if (shf_fs.fstat(from, &before) != 0) {
        status = shf_fs_error(error, SHF_E_LOCAL, errno, "cannot look at %s", path);
        goto done;
    }
    if (!S_ISREG(before.st_mode)) {
        status = shf_error_set(error, SHF_E_LOCAL, "%s is not a regular file", path);
        goto done;
    }
    const struct shf_copy copy = {
        .from = from, .to = fd, .size = (uint64_t)before.st_size, .is_whole = true, .deadline_ns = SHF_DEADLINE_NONE};
    status = shf_copy_run(&copy, path, &copied, error);
    if (!status && copied != copy.size) {
        status = shf_error_set(error, SHF_E_STORE_RETRY, "%s changed while it was copied; try again", path);
    }
    if (!status) status = shf_copy_check_same(from, &before, path, "copied", error);
done:
    shf_fs_close(from);
    return status;
}
