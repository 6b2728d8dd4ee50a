#include "io/cache_map.h"

#include "io/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

shf_status shf_cache_writer_map(struct shf_cache_writer *writer, uint64_t size, uint8_t **bytes,
                                struct shf_error **error) {
    int problem;
    if (size == 0 || size > INT64_MAX) {
        return shf_error_set(error, SHF_E_LIMIT, "a cache file of %" PRIu64 " bytes can not be made", size);
    }
    do problem = posix_fallocate(writer->fd, 0, (off_t)size);
    while (problem == EINTR);
    if (problem) {
        return shf_fs_error(error, SHF_E_LOCAL, problem, "cannot reserve %" PRIu64 " bytes in the cache directory", size);
    }
    void *mapping = shf_fs.mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, writer->fd, 0);
    if (mapping == MAP_FAILED) {
        return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot map a new cache file of %" PRIu64 " bytes", size);
    }
    *bytes = mapping;
    return SHF_OK;
}

void shf_cache_writer_unmap(uint8_t *bytes, uint64_t size) { (void)shf_fs.munmap(bytes, (size_t)size); }
