#include "io/mapped_file.h"

#include "base/alloc.h"
#include "io/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/mman.h>

struct mapped {
    struct shf_buf buf;
    shf_runtime *runtime;
    struct shf_disk_cache *cache; /* NULL: not of the cache, no fd */
    int fd;
};

static void unmap(struct shf_buf *buf) {
    struct mapped *mapped = SHF_CONTAINER(buf, struct mapped, buf);
    (void)shf_fs.munmap(buf->data, buf->size);
    atomic_fetch_sub_explicit(&shf_rt_counters(mapped->runtime)->mapped_bytes, buf->size, memory_order_relaxed);
    if (mapped->cache) {
        /*
         * The lock belongs to the open file description, which a child of fork() shares: unlock here, so that a
         * child which lives on does not keep the file from eviction; but never in the child, whose unlocking would
         * take the parent's lock away. Closing alone changes nothing for the other side.
         */
        if (!shf_rt_forked(mapped->runtime)) (void)shf_fs_lock(mapped->fd, LOCK_UN);
        shf_fs_close(mapped->fd);
        shf_disk_cache_release(mapped->cache);
    }
    shf_rt_release(mapped->runtime);
    shf_free(mapped);
}

shf_status shf_mapped_file_new(shf_runtime *runtime, struct shf_disk_cache *cache, int fd, uint64_t size,
                               const char *name, struct shf_mapped_file *out, struct shf_error **error) {
    struct mapped *mapped = NULL;
    shf_status status = SHF_OK;
    if (size > PTRDIFF_MAX) {
        status = shf_error_set(error, SHF_E_LIMIT, "%s has %" PRIu64 " bytes: more than can be mapped", name, size);
        goto done;
    }
    mapped = shf_alloc_zero(1, sizeof *mapped);
    if (!mapped) {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory to map %s", name);
        goto done;
    }
    /* No advice to the kernel: lookups jump, laying out vectors runs through, and read-ahead serves both when cold. */
    void *address = shf_fs.mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED) {
        status = shf_fs_error(error, SHF_E_LOCAL, errno, "cannot map %s (%" PRIu64 " bytes)", name, size);
        goto done;
    }
    atomic_init(&mapped->buf.references, 1);
    mapped->buf.data = address;
    mapped->buf.size = (size_t)size;
    mapped->buf.destroy = unmap;
    mapped->runtime = shf_rt_retain(runtime);
    mapped->fd = -1;
    if (cache) {
        mapped->cache = shf_disk_cache_retain(cache);
        mapped->fd = fd;
        fd = -1;
    }
    atomic_fetch_add_explicit(&shf_rt_counters(runtime)->mapped_bytes, size, memory_order_relaxed);
    out->buf = &mapped->buf;
    mapped = NULL;
done:
    shf_free(mapped);
    if (fd >= 0) shf_fs_close(fd);
    return status;
}

shf_status shf_map_file(shf_runtime *runtime, const char *path, struct shf_mapped_file *out, struct shf_error **error) {
    struct stat found;
    shf_status status;
    int fd = shf_fs_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0); /* NONBLOCK: a FIFO must not hang us */
    if (fd < 0) return shf_fs_error(error, shf_fs_status(errno), errno, "cannot open %s", path);
    if (shf_fs.fstat(fd, &found) != 0) {
        status = shf_fs_error(error, SHF_E_LOCAL, errno, "cannot look at %s", path);
    } else if (!S_ISREG(found.st_mode)) {
        status = shf_error_set(error, SHF_E_LOCAL, "%s is not a regular file", path);
    } else if (found.st_size == 0) {
        status = shf_error_set(error, SHF_E_CORRUPT, "%s is empty", path);
    } else {
        return shf_mapped_file_new(runtime, NULL, fd, (uint64_t)found.st_size, path, out, error);
    }
    shf_fs_close(fd);
    return status;
}
