/*
 * Records. A record binds a name to the very file that was verified: size, modification time, inode. It is put in place
 * after the file, so whatever a crash leaves behind, a record that agrees with a file speaks of the whole, verified one: a
 * new file has another inode than the one that it replaces (which exists until then), and an inode number that is used
 * again comes with another time.
 *
 * Nobody waits for the disk: a power loss may leave a file with holes behind a record that agrees with it. So a record
 * names the boot of the system in which it was written, and what the content's hash was. After another boot the file is
 * hashed once, and the record written anew.
 *
 *     0  8  "SHFCACH2"
 *     8 32  digest of the identity
 *    40 16  kind, padded with NULs
 *    56  8  size          (little-endian from here)
 *    64  8  modification time, nanoseconds since 1970
 *    72  8  inode
 *    80 16  XXH3-128 of the content
 *    96 16  XXH3-128 of the text that names the boot
 *   112 16  XXH3-128 of the bytes before
 */
#include "base/clock.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "io/disk_cache_priv.h"
#include "io/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define AT_CONTENT 80u
#define AT_BOOT 96u
#define CHECKED_BYTES 112u

static const char magic[8] = "SHFCACH2";

void shf_cache_record_encode(const struct shf_cache_key *key, const char *kind, const struct stat *file,
                             const uint8_t content[16], const uint8_t boot[16], uint8_t out[SHF_CACHE_RECORD_BYTES]) {
    memset(out, 0, SHF_CACHE_RECORD_BYTES);
    memcpy(out, magic, sizeof magic);
    memcpy(out + 8, key->digest, sizeof key->digest);
    memcpy(out + 40, kind, strnlen(kind, SHF_CACHE_KIND_BYTES - 1));
    shf_store_u64le(out + 56, (uint64_t)file->st_size);
    shf_store_u64le(out + 64, (uint64_t)shf_fs_modified_ns(file));
    shf_store_u64le(out + 72, (uint64_t)file->st_ino);
    memcpy(out + AT_CONTENT, content, 16);
    memcpy(out + AT_BOOT, boot, 16);
    shf_hash128(out, CHECKED_BYTES, out + CHECKED_BYTES);
}

bool shf_cache_record_agrees(const uint8_t record[SHF_CACHE_RECORD_BYTES], const struct shf_cache_key *key,
                             const char *kind, const struct stat *file) {
    uint8_t expected[SHF_CACHE_RECORD_BYTES];
    shf_cache_record_encode(key, kind, file, record + AT_CONTENT, record + AT_BOOT, expected);
    return memcmp(record, expected, sizeof expected) == 0;
}

bool shf_cache_file_is_private(const struct stat *file) {
    return S_ISREG(file->st_mode) && file->st_uid == geteuid() && file->st_nlink == 1 &&
           !(file->st_mode & (S_IWGRP | S_IWOTH));
}

void shf_cache_touch(int record_fd) {
    int64_t now_us = shf_clock_wall_us();
    const struct timespec now = {.tv_sec = now_us / 1000000, .tv_nsec = (long)(now_us % 1000000) * 1000};
    const struct timespec times[2] = {now, now};
    (void)shf_fs.futimens(record_fd, times);
}

shf_status shf_cache_hash_content(const struct shf_disk_cache *cache, int fd, uint64_t size, uint8_t out[16],
                                  struct shf_error **error) {
    void *content = shf_fs.mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    if (content == MAP_FAILED) {
        return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot map a file of the cache %s", cache->path);
    }
    shf_hash128(content, (size_t)size, out);
    (void)shf_fs.munmap(content, (size_t)size);
    return SHF_OK;
}

/* Of this boot from now on. Best effort: else it is hashed again the next time. The locked file can not be evicted. */
static void renew_record(struct shf_disk_cache *cache, const char *name, const struct shf_cache_key *key,
                         const char *kind, const struct stat *file, const uint8_t content[16]) {
    uint8_t record[SHF_CACHE_RECORD_BYTES];
    char temporary[SHF_CACHE_NAME_BYTES];
    int fd;
    if (shf_cache_temporary_new(cache, temporary, &fd, NULL)) return;
    shf_cache_record_encode(key, kind, file, content, cache->boot, record);
    if (shf_fs_write(fd, record, sizeof record, 0) != 0 || shf_fs_rename(cache->directory, temporary, name) != 0) {
        (void)shf_fs.unlinkat(cache->directory, temporary, 0);
    }
    shf_fs_close(fd);
}

/* Written in another boot: what may have got lost on its way to the disk is found out now, once. */
static shf_status check_content(struct shf_disk_cache *cache, const char *record_name, const uint8_t *record,
                                const struct shf_cache_key *key, const char *kind, int fd, const struct stat *file,
                                enum shf_cache_answer *answer, struct shf_error **error) {
    uint8_t content[16];
    if (memcmp(record + AT_BOOT, cache->boot, sizeof cache->boot) == 0) return SHF_OK;
    if (file->st_size == 0) {
        *answer = SHF_CACHE_SPOILED;
        return SHF_OK;
    }
    shf_status status = shf_cache_hash_content(cache, fd, (uint64_t)file->st_size, content, error);
    if (status) return status;
    if (memcmp(record + AT_CONTENT, content, sizeof content) != 0) {
        *answer = SHF_CACHE_SPOILED;
        return SHF_OK;
    }
    renew_record(cache, record_name, key, kind, file, content);
    return SHF_OK;
}

/* Somebody put something there that is not a file of ours: it is not used, and a commit replaces it. */
static bool is_no_file_of_ours(int problem) {
    return problem == ELOOP || problem == ENXIO || problem == ENODEV || problem == EACCES || problem == EPERM;
}

/* Opens for reading what must be a private file. *fd -1 with an answer when it is not there or will not do. */
static shf_status open_private(struct shf_disk_cache *cache, const char *name, int *fd, struct stat *found,
                               enum shf_cache_answer *answer, struct shf_error **error) {
    int opened = shf_fs_open(cache->directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    *fd = -1;
    if (opened < 0 && (errno == ENOENT || is_no_file_of_ours(errno))) {
        *answer = errno == ENOENT ? SHF_CACHE_ABSENT : SHF_CACHE_SPOILED;
        return SHF_OK;
    }
    if (opened < 0) return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot open %s in the cache %s", name, cache->path);
    if (shf_fs.fstat(opened, found) != 0) {
        shf_status status =
            shf_fs_error(error, SHF_E_LOCAL, errno, "cannot look at %s in the cache %s", name, cache->path);
        shf_fs_close(opened);
        return status;
    }
    if (!shf_cache_file_is_private(found)) {
        shf_fs_close(opened);
        *answer = found->st_nlink == 0 ? SHF_CACHE_ABSENT : SHF_CACHE_SPOILED; /* 0: evicted this moment */
        return SHF_OK;
    }
    *fd = opened;
    return SHF_OK;
}

/* The data file, with a shared lock, checked against the record; *fd -1 with an answer otherwise. */
static shf_status open_data(struct shf_disk_cache *cache, const char *name, const uint8_t *record,
                            const struct shf_cache_key *key, const char *kind, int *fd, struct stat *found,
                            enum shf_cache_answer *answer, struct shf_error **error) {
    shf_status status = open_private(cache, name, fd, found, answer, error);
    if (status || *fd < 0) return status;
    if (shf_fs_lock(*fd, LOCK_SH | LOCK_NB) != 0) {
        *answer = SHF_CACHE_ABSENT;
        if (errno != EWOULDBLOCK) { /* else somebody is evicting it */
            status = shf_fs_error(error, SHF_E_LOCAL, errno, "cannot lock %s in the cache %s", name, cache->path);
        }
    } else if (shf_fs.fstat(*fd, found) != 0) { /* again: it may have been evicted before it was locked */
        status = shf_fs_error(error, SHF_E_LOCAL, errno, "cannot look at %s in the cache %s", name, cache->path);
    } else if (found->st_nlink == 0) {
        *answer = SHF_CACHE_ABSENT;
    } else if (!shf_cache_record_agrees(record, key, kind, found)) {
        *answer = SHF_CACHE_SPOILED;
    } else {
        return SHF_OK;
    }
    shf_fs_close(*fd);
    *fd = -1;
    return status;
}

shf_status shf_cache_entry_open(struct shf_disk_cache *cache, const struct shf_cache_key *key, const char *kind,
                                enum shf_cache_answer *answer, struct shf_mapped_file *out, struct shf_error **error) {
    struct shf_cache_names names;
    struct stat found;
    uint8_t record[SHF_CACHE_RECORD_BYTES];
    int record_fd = -1, data_fd = -1;
    shf_cache_names_make(key, kind, &names);
    shf_status status = open_private(cache, names.record, &record_fd, &found, answer, error);
    if (status || record_fd < 0) return status;
    ssize_t got = shf_fs_read(record_fd, record, sizeof record, 0);
    if (got < 0) {
        status = shf_fs_error(error, SHF_E_LOCAL, errno, "cannot read %s in the cache %s", names.record, cache->path);
        goto done;
    }
    if ((size_t)got < sizeof record) {
        *answer = SHF_CACHE_SPOILED;
        goto done;
    }
    status = open_data(cache, names.data, record, key, kind, &data_fd, &found, answer, error);
    if (status || data_fd < 0) goto done;
    *answer = SHF_CACHE_FOUND;
    status = check_content(cache, names.record, record, key, kind, data_fd, &found, answer, error);
    if (status || *answer != SHF_CACHE_FOUND) {
        shf_fs_close(data_fd);
        goto done;
    }
    shf_cache_touch(record_fd);
    status = shf_mapped_file_new(cache->runtime, cache, data_fd, (uint64_t)found.st_size, names.data, out, error);
done:
    shf_fs_close(record_fd);
    return status;
}
