/* The inside of the disk cache: names, records, the lock of the directory. */
#ifndef SHF_IO_DISK_CACHE_PRIV_H
#define SHF_IO_DISK_CACHE_PRIV_H

#include "io/disk_cache.h"
#include "io/fs.h"

#include <limits.h>

#define SHF_CACHE_DEFAULT_BYTES (UINT64_C(64) << 30)
#define SHF_CACHE_KIND_BYTES 16u /* with the NUL */
#define SHF_CACHE_NAME_BYTES 96u /* 64 digits, dot, kind, ".record", NUL */
#define SHF_CACHE_RECORD_BYTES 128u
#define SHF_CACHE_FILES 1048576u    /* entries that one look through the directory takes in */
#define SHF_CACHE_NAME_ATTEMPTS 16u /* names for a temporary */
#define SHF_CACHE_LOCK_WAIT_MS 5000 /* for another process that publishes or evicts */
#define SHF_CACHE_RECORD_SUFFIX ".record"
#define SHF_CACHE_TEMPORARY_PREFIX "tmp-"

struct shf_disk_cache {
    atomic_uint references;
    shf_runtime *runtime; /* retained */
    int directory;
    char *path; /* for messages */
    uint64_t max_bytes;
    uint8_t boot[16];               /* names this boot of the system */
    atomic_int_least64_t allowance; /* bytes that may be added before the directory is measured again */
};

struct shf_cache_names {
    char data[SHF_CACHE_NAME_BYTES], record[SHF_CACHE_NAME_BYTES];
};
void shf_cache_names_make(const struct shf_cache_key *key, const char *kind, struct shf_cache_names *out);

/* ---- records: what binds a name to the very file that was verified (disk_cache_record.c) ---- */

void shf_cache_record_encode(const struct shf_cache_key *key, const char *kind, const struct stat *file,
                             const uint8_t content[16], const uint8_t boot[16], uint8_t out[SHF_CACHE_RECORD_BYTES]);
/* XXH3-128 of a file that is not empty. */
shf_status shf_cache_hash_content(const struct shf_disk_cache *cache, int fd, uint64_t size, uint8_t out[16],
                                  struct shf_error **error);
/* True when the record is whole, of this name, and of this file. */
bool shf_cache_record_agrees(const uint8_t record[SHF_CACHE_RECORD_BYTES], const struct shf_cache_key *key,
                             const char *kind, const struct stat *file);
/* Ours alone: a regular file of this user, under one name, that nobody else may write to. */
bool shf_cache_file_is_private(const struct stat *file);

enum shf_cache_answer { SHF_CACHE_FOUND, SHF_CACHE_ABSENT, SHF_CACHE_SPOILED };
/* Opens, locks, checks and maps an entry; marks it as used now. SHF_OK with *answer set, or an error. */
shf_status shf_cache_entry_open(struct shf_disk_cache *cache, const struct shf_cache_key *key, const char *kind,
                                enum shf_cache_answer *answer, struct shf_mapped_file *out, struct shf_error **error);
/* The moment of last use is the record's modification time, so that the file's own stays as recorded. Best effort. */
void shf_cache_touch(int record_fd);

/* ---- temporaries (disk_cache_write.c) ---- */

shf_status shf_cache_temporary_new(struct shf_disk_cache *cache, char name[SHF_CACHE_NAME_BYTES], int *fd,
                                   struct shf_error **error);

/* ---- the lock of the directory and what is done under it (disk_cache_evict.c) ---- */

/*
 * A descriptor that holds the lock (end with shf_cache_unlock), or -1. Publishing and evicting take it; going on
 * without it costs at worst a file that a later find throws away, so nobody waits for ever.
 */
int shf_cache_lock(struct shf_disk_cache *cache, int64_t wait_ms);
void shf_cache_unlock(int lock);
/* Under the lock: removes a file and its record unless somebody uses it. True when it is gone. */
bool shf_cache_evict(struct shf_disk_cache *cache, const char *data_name);
/* Under the lock, after `added` bytes were put in place: keeps the directory within its cap. Best effort. */
void shf_cache_keep_within(struct shf_disk_cache *cache, uint64_t added);
/* Removes temporaries whose writers are gone. Best effort. */
void shf_cache_remove_stale(struct shf_disk_cache *cache);

#endif
