#include "writer/shard_file.h"

#include "base/alloc.h"
#include "base/text.h"
#include "io/fs.h"
#include "rt/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#define HASH_PIECE_BYTES (UINT64_C(8) << 20)
#define WRITEBACK_BYTES (UINT64_C(8) << 20)

static shf_status write_at(struct shf_shard_file *file, const void *data, size_t size, uint64_t offset,
                           struct shf_error **error) {
    if (shf_fs_write(file->fd, data, size, offset) != 0) {
        return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot write %s", file->path);
    }
    if (offset + size > file->size) file->size = offset + size;
    file->unsent += size;
    if (file->stays && file->unsent >= WRITEBACK_BYTES) {
        /* The disk begins while the rest is built, so that the sync in the end waits less; what it says is no matter. */
        (void)sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        file->unsent = 0;
    }
    return SHF_OK;
}

static shf_status write_pages(struct shf_page_sink *sink, uint32_t first_page, const uint8_t *pages,
                              uint32_t page_count, struct shf_error **error) {
    struct shf_shard_file *file = SHF_CONTAINER(sink, struct shf_shard_file, pages);
    return write_at(file, pages, (size_t)page_count * file->page_size, (uint64_t)(first_page - 1) * file->page_size,
                    error);
}

static shf_status write_bytes(struct shf_byte_sink *sink, const void *data, size_t size, struct shf_error **error) {
    struct shf_shard_file *file = SHF_CONTAINER(sink, struct shf_shard_file, bytes);
    return write_at(file, data, size, file->size, error);
}

shf_status shf_shard_file_open(struct shf_shard_file *file, const struct shf_scratch *scratch, const char *name,
                               uint32_t page_size, struct shf_error **error) {
    struct shf_text path = {0};
    *file = (struct shf_shard_file){
        .pages = {write_pages}, .bytes = {write_bytes}, .scratch = scratch, .fd = -1, .page_size = page_size};
    shf_text_format(&path, "%s/%s", scratch->path, name);
    file->path = shf_text_take(&path);
    file->name = shf_strdup(name);
    if (!file->path || !file->name) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the path of a shard");
    file->fd = shf_fs_open(scratch->fd, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666);
    return file->fd >= 0 ? SHF_OK : shf_fs_error(error, SHF_E_LOCAL, errno, "cannot make %s", file->path);
}

shf_status shf_shard_file_map(struct shf_shard_file *file, struct shf_error **error) {
    void *map = shf_fs.mmap(NULL, (size_t)file->size, PROT_READ, MAP_SHARED, file->fd, 0);
    if (map == MAP_FAILED) return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot map %s", file->path);
    file->map = map;
    file->sha256 = EVP_MD_CTX_new();
    if (!file->sha256 || EVP_DigestInit_ex(file->sha256, EVP_sha256(), NULL) != 1) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to hash %s", file->path);
    }
    return SHF_OK;
}

shf_status shf_shard_file_hash(struct shf_shard_file *file, bool *done, uint8_t out[32], struct shf_error **error) {
    uint64_t left = file->size - file->hashed;
    uint64_t piece = left < HASH_PIECE_BYTES ? left : HASH_PIECE_BYTES;
    bool ok = EVP_DigestUpdate(file->sha256, file->map + file->hashed, (size_t)piece) == 1;
    file->hashed += piece;
    *done = file->hashed == file->size;
    if (ok && *done) ok = EVP_DigestFinal_ex(file->sha256, out, NULL) == 1;
    return ok ? SHF_OK : shf_error_set(error, SHF_E_INTERNAL, "OpenSSL can not hash %s", file->path);
}

void shf_shard_file_remove(struct shf_shard_file *file) {
    if (file->map) (void)shf_fs.munmap(file->map, (size_t)file->size);
    EVP_MD_CTX_free(file->sha256);
    if (file->fd >= 0) {
        shf_fs_close(file->fd);
        (void)shf_fs.unlinkat(file->scratch->fd, file->name, 0); /* unless the store took it */
    }
    shf_free(file->path);
    shf_free(file->name);
    *file = (struct shf_shard_file){.fd = -1};
}
