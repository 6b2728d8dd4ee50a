/* Writing cache files: temporaries, and putting them in place. */
#include "base/clock.h"
#include "base/text.h"
#include "io/disk_cache_priv.h"
#include "io/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

static shf_status random_name(char name[SHF_CACHE_NAME_BYTES], struct shf_error **error) {
    uint8_t random[16];
    char digits[2 * sizeof random + 1];
    if (!shf_random_bytes(random, sizeof random)) {
        return shf_error_set(error, SHF_E_LOCAL, "the system has no random numbers for the name of a temporary file");
    }
    shf_hex_encode(random, sizeof random, digits);
    (void)snprintf(name, SHF_CACHE_NAME_BYTES, SHF_CACHE_TEMPORARY_PREFIX "%s", digits);
    return SHF_OK;
}

/*
 * One attempt; *fd -1 without an error: the name is taken, or a clean-up of another process took the file in the
 * instant before it was locked. The lock is a shared one from the start: it keeps clean-up and eviction away all the same, and after the
 * rename a finder can share it, so it is never changed and there is no instant without it.
 */
static shf_status try_temporary(struct shf_disk_cache *cache, const char *name, int *fd, struct shf_error **error) {
    struct stat made;
    int problem;
    *fd = -1;
    int opened = shf_fs_open(cache->directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (opened < 0 && errno == EEXIST) return SHF_OK;
    if (opened < 0) return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot make a file in the cache %s", cache->path);
    if (shf_fs_lock(opened, LOCK_SH | LOCK_NB) == 0 && shf_fs.fstat(opened, &made) == 0) {
        if (made.st_nlink == 1) {
            *fd = opened;
            return SHF_OK;
        }
        shf_fs_close(opened);
        return SHF_OK;
    }
    problem = errno;
    shf_fs_close(opened);
    if (problem == EWOULDBLOCK) return SHF_OK; /* clean-up holds it, and removes it */
    (void)shf_fs.unlinkat(cache->directory, name, 0);
    return shf_fs_error(error, SHF_E_LOCAL, problem, "cannot lock a file in the cache %s", cache->path);
}

shf_status shf_cache_temporary_new(struct shf_disk_cache *cache, char name[SHF_CACHE_NAME_BYTES], int *fd,
                                   struct shf_error **error) {
    for (unsigned attempt = 0; attempt < SHF_CACHE_NAME_ATTEMPTS; attempt++) {
        shf_status status = random_name(name, error);
        if (!status) status = try_temporary(cache, name, fd, error);
        if (status || *fd >= 0) return status;
    }
    return shf_error_set(error, SHF_E_LOCAL, "no free name for a temporary file in the cache %s after %u attempts",
                         cache->path, SHF_CACHE_NAME_ATTEMPTS);
}

shf_status shf_disk_cache_begin(struct shf_disk_cache *cache, struct shf_cache_writer *writer, struct shf_error **error) {
    char name[SHF_CACHE_NAME_BYTES];
    int fd;
    shf_status status = shf_cache_temporary_new(cache, name, &fd, error);
    if (status) return status;
    writer->cache = shf_disk_cache_retain(cache);
    writer->fd = fd;
    (void)snprintf(writer->name, sizeof writer->name, "%.79s", name);
    return SHF_OK;
}

static void drop_temporary(struct shf_disk_cache *cache, const char *name, int fd) {
    (void)shf_fs.unlinkat(cache->directory, name, 0); /* what stays is removed by the next open: nobody locks it */
    if (fd >= 0) shf_fs_close(fd);
}

void shf_disk_cache_abort(struct shf_cache_writer *writer) {
    drop_temporary(writer->cache, writer->name, writer->fd);
    shf_disk_cache_release(writer->cache);
    writer->cache = NULL;
    writer->fd = -1;
}

/* What its record says of the file. It is not synced: disk_cache_record.c has the way out. */
static shf_status seal(const struct shf_cache_writer *writer, struct stat *sealed, uint8_t content[16],
                       struct shf_error **error) {
    const char *path = writer->cache->path;
    if (shf_fs.fstat(writer->fd, sealed) != 0) {
        return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot look at a new file of the cache %s", path);
    }
    if (sealed->st_size == 0)
        return shf_error_set(error, SHF_E_CORRUPT, "the object is empty: there is nothing to keep");
    return shf_cache_hash_content(writer->cache, writer->fd, (uint64_t)sealed->st_size, content, error);
}

/*
 * A temporary with the record of `sealed`. On success *fd is open and locked. Not synced: one that a power loss spoils fails its
 * checksum, and the file is fetched again.
 */
static shf_status write_record(struct shf_disk_cache *cache, const struct shf_cache_key *key, const char *kind,
                               const struct stat *sealed, const uint8_t content[16], char name[SHF_CACHE_NAME_BYTES],
                               int *fd, struct shf_error **error) {
    uint8_t record[SHF_CACHE_RECORD_BYTES];
    int made;
    shf_status status = shf_cache_temporary_new(cache, name, &made, error);
    if (status) return status;
    shf_cache_record_encode(key, kind, sealed, content, cache->boot, record);
    if (shf_fs_write(made, record, sizeof record, 0) != 0) {
        status = shf_fs_error(error, SHF_E_LOCAL, errno, "cannot write a record in the cache %s", cache->path);
        drop_temporary(cache, name, made);
        return status;
    }
    shf_cache_touch(made);
    *fd = made;
    return SHF_OK;
}

/*
 * The file first, then the record that vouches for it. The directory is not synced: a name that a power loss takes away is
 * a file to fetch again, never a wrong one.
 */
static shf_status put_in_place(struct shf_disk_cache *cache, const char *data, const char *record,
                               const struct shf_cache_names *names, struct shf_error **error) {
    if (shf_fs_rename(cache->directory, data, names->data) != 0) {
        return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot put %s in place in the cache %s", names->data,
                            cache->path);
    }
    if (shf_fs_rename(cache->directory, record, names->record) != 0) {
        shf_status status = shf_fs_error(error, SHF_E_LOCAL, errno, "cannot put %s in place in the cache %s",
                                         names->record, cache->path);
        (void)shf_fs.unlinkat(cache->directory, names->data, 0);
        return status;
    }
    return SHF_OK;
}

/* Under the lock of the directory (or without, when it could not be had): ours, unless another one was first. */
static shf_status publish(struct shf_cache_writer *writer, const char *record, const struct shf_cache_key *key,
                          const char *kind, uint64_t size, struct shf_mapped_file *out, struct shf_error **error) {
    struct shf_disk_cache *cache = writer->cache;
    struct shf_cache_names names;
    enum shf_cache_answer answer = SHF_CACHE_ABSENT;
    shf_cache_names_make(key, kind, &names);
    (void)shf_cache_entry_open(cache, key, kind, &answer, out, NULL); /* what fails here is replaced */
    if (answer == SHF_CACHE_FOUND) return SHF_OK;
    shf_status status = put_in_place(cache, writer->name, record, &names, error);
    if (status) return status;
    int fd = writer->fd;
    writer->fd = -1; /* the mapping's now */
    return shf_mapped_file_new(cache->runtime, cache, fd, size, names.data, out, error);
}

shf_status shf_disk_cache_commit(struct shf_cache_writer *writer, const struct shf_cache_key *key, const char *kind,
                                 struct shf_mapped_file *out, struct shf_error **error) {
    struct shf_disk_cache *cache = writer->cache;
    struct stat sealed;
    uint8_t content[16];
    char record[SHF_CACHE_NAME_BYTES];
    int record_fd = -1;
    shf_status status = seal(writer, &sealed, content, error);
    if (!status) status = write_record(cache, key, kind, &sealed, content, record, &record_fd, error);
    if (!status) {
        uint64_t size = (uint64_t)sealed.st_size;
        int lock = shf_cache_lock(cache, SHF_CACHE_LOCK_WAIT_MS);
        status = publish(writer, record, key, kind, size, out, error);
        if (lock >= 0) {
            if (!status) shf_cache_keep_within(cache, size);
            shf_cache_unlock(lock);
        }
        drop_temporary(cache, record, record_fd); /* no such name when it was put in place */
    }
    shf_disk_cache_abort(writer); /* likewise */
    return status;
}
