/*
 * The local cache directory: finished files under names that are digests, safe for many threads and processes.
 * A crash at any instant leaves the old file, the new one, or a temporary that a later open removes. Every call
 * blocks on the file system: workers only.
 *
 * A file is put in place by rename after it was verified; its record (identity, inode, size, modification time) is
 * written beside it, and a file that no longer agrees with its record is thrown away, not used. Nothing waits for the disk:
 * a record names the boot in which it was written, and after another one the file is hashed before it is used again. A file in use holds a
 * shared flock; eviction (least recently used, above the cap) skips what it can not lock exclusively. That costs one
 * file descriptor a file in use, so the limit of open files (ulimit -n) bounds how many shards can be open at once.
 *
 * In the directory: DIGEST.KIND, DIGEST.KIND.record, tmp-RANDOM (being written), lock. Anything else in it is left alone.
 * The file system must know flock (every local one does).
 */
#ifndef SHF_IO_DISK_CACHE_H
#define SHF_IO_DISK_CACHE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "rt/runtime.h"

#include <stdbool.h>
#include <stdint.h>

struct shf_disk_cache; /* reference-counted: every mapped file holds one */

/*
 * given NULL = $XDG_CACHE_HOME/shardyfusion, else $HOME/.cache/shardyfusion. Made with mode 0700 if missing (parents
 * too); SHF_E_LOCAL when it is not a directory or a symbolic link, belongs to another user, or others may write to
 * it; the message says how to mend it. max_bytes 0 = 64 GiB: files in use do not count as removable, so the cap is
 * passed while more than that is in use.
 */
shf_status shf_disk_cache_open(shf_runtime *runtime, const char *given, uint64_t max_bytes, struct shf_disk_cache **out,
                               struct shf_error **error);
struct shf_disk_cache *shf_disk_cache_retain(struct shf_disk_cache *cache);
void shf_disk_cache_release(struct shf_disk_cache *cache);

/* What a file is of. digest = SHA-256 over the NUL-separated parts of an identity. */
struct shf_cache_key {
    uint8_t digest[32];
};
shf_status shf_cache_key_make(const char *const *parts, size_t count, struct shf_cache_key *out,
                              struct shf_error **error);

/* A mapped, read-only file of the cache (or any file, below): data stays valid until the last release of buf. */
struct shf_mapped_file {
    struct shf_buf *buf; /* data and size in it */
};

/* kind: a short word of [a-z] that becomes the file's extension ("shard", "vectors"). *found false: not there. */
shf_status shf_disk_cache_find(struct shf_disk_cache *cache, const struct shf_cache_key *key, const char *kind,
                               bool *found, struct shf_mapped_file *out, struct shf_error **error);

/* A new file being written: a temporary, locked against clean-up. */
struct shf_cache_writer {
    struct shf_disk_cache *cache;
    int fd; /* write here (from offset 0); the library keeps the ownership */
    char name[80];
};
shf_status shf_disk_cache_begin(struct shf_disk_cache *cache, struct shf_cache_writer *writer, struct shf_error **error);
/* Drops the temporary; for writers that began. */
void shf_disk_cache_abort(struct shf_cache_writer *writer);
/*
 * Puts the file in place and maps it. If another process was first, that one's file is used. The writer is over in any
 * case. SHF_E_CORRUPT when nothing was written: an empty file is of no use.
 */
shf_status shf_disk_cache_commit(struct shf_cache_writer *writer, const struct shf_cache_key *key, const char *kind,
                                 struct shf_mapped_file *out, struct shf_error **error);

/*
 * Maps a file outside the cache read-only (a file:// shard served in place). SHF_E_NOT_FOUND, SHF_E_ACCESS,
 * SHF_E_CORRUPT (empty), SHF_E_LOCAL.
 */
shf_status shf_map_file(shf_runtime *runtime, const char *path, struct shf_mapped_file *out, struct shf_error **error);

/*
 * Copies a file into fd (empty, at offset 0), by reflink where the file system can. SHF_E_NOT_FOUND, SHF_E_ACCESS,
 * SHF_E_STORE_RETRY (it changed meanwhile), SHF_E_LOCAL.
 */
shf_status shf_copy_file(const char *path, int fd, struct shf_error **error);

#endif
