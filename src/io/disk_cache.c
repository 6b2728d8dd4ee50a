#include "io/disk_cache.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "io/disk_cache_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- where it is ---- */

/* $XDG_CACHE_HOME when it is absolute (the specification: ignore it otherwise), else $HOME/.cache. */
static shf_status default_path(struct shf_text *path, struct shf_error **error) {
    const char *base = secure_getenv("XDG_CACHE_HOME");
    const char *home = secure_getenv("HOME");
    if (base && base[0] == '/') {
        shf_text_format(path, "%s/shardyfusion", base);
    } else if (home && home[0] == '/') {
        shf_text_format(path, "%s/.cache/shardyfusion", home);
    } else {
        return shf_error_set(error, SHF_E_LOCAL,
                             "there is no place for the local cache: set local_root, XDG_CACHE_HOME or HOME");
    }
    return SHF_OK;
}

/* Without slashes at the end: "link/" would follow a symbolic link that O_NOFOLLOW is to refuse. */
static shf_status choose_path(const char *given, char **out, struct shf_error **error) {
    struct shf_text text = {0};
    shf_status status = SHF_OK;
    if (given && !given[0]) {
        return shf_error_set(error, SHF_E_INVALID, "local_root is empty; give a directory, or nothing for the default");
    }
    if (given) {
        shf_text_add_string(&text, given);
    } else {
        status = default_path(&text, error);
    }
    if (status) return status;
    char *path = shf_text_take(&text);
    if (!path) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the path of the local cache");
    for (size_t size = strlen(path); size > 1 && path[size - 1] == '/'; size--) path[size - 1] = '\0';
    *out = path;
    return SHF_OK;
}

/* Makes the directory and its parents. What goes wrong with a parent shows when the directory itself is made. */
static int make_directories(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)shf_fs.mkdirat(AT_FDCWD, path, 0700);
        *slash = '/';
    }
    int result;
    do result = shf_fs.mkdirat(AT_FDCWD, path, 0700);
    while (result < 0 && errno == EINTR);
    return result < 0 && errno != EEXIST ? -1 : 0;
}

static shf_status check_directory(int directory, const char *path, struct shf_error **error) {
    struct stat found;
    if (shf_fs.fstat(directory, &found) != 0) {
        return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot look at the cache directory %s", path);
    }
    if (found.st_uid != geteuid()) {
        return shf_error_set(
            error, SHF_E_LOCAL,
            "the cache directory %s belongs to user %lu, not to this one (%lu); choose another local_root", path,
            (unsigned long)found.st_uid, (unsigned long)geteuid());
    }
    if (found.st_mode & (S_IWGRP | S_IWOTH)) {
        return shf_error_set(error, SHF_E_LOCAL, "others may write to the cache directory %s (mode %04o); chmod 700 it",
                             path, (unsigned)(found.st_mode & 07777));
    }
    return SHF_OK;
}

static shf_status open_directory(char *path, int *out, struct shf_error **error) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    int directory = shf_fs_open(AT_FDCWD, path, flags, 0);
    if (directory < 0 && errno == ENOENT) {
        if (make_directories(path) < 0) {
            return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot make the cache directory %s", path);
        }
        directory = shf_fs_open(AT_FDCWD, path, flags, 0);
    }
    if (directory < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        return shf_error_set(
            error, SHF_E_LOCAL,
            "the cache directory %s is not a directory (a symbolic link is not followed); give the directory "
            "itself as local_root",
            path);
    }
    if (directory < 0) return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot open the cache directory %s", path);
    shf_status status = check_directory(directory, path, error);
    if (status) {
        shf_fs_close(directory);
        return status;
    }
    *out = directory;
    return SHF_OK;
}

/*
 * The system's name for this boot. Where it has none, a name that is used once: whatever another opening of the cache wrote
 * is hashed when it is found.
 */
static bool name_boot(uint8_t out[16]) {
    char text[64];
    int fd = shf_fs_open(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
    ssize_t size = fd < 0 ? -1 : shf_fs_read(fd, text, sizeof text, 0);
    if (fd >= 0) shf_fs_close(fd);
    if (size <= 0) return shf_random_bytes(out, 16);
    shf_hash128(text, (size_t)size, out);
    return true;
}

shf_status shf_disk_cache_open(shf_runtime *runtime, const char *given, uint64_t max_bytes, struct shf_disk_cache **out,
                               struct shf_error **error) {
    char *path = NULL;
    int directory = -1;
    uint8_t boot[16];
    struct shf_disk_cache *cache = NULL;
    shf_status status = choose_path(given, &path, error);
    if (!status) status = open_directory(path, &directory, error);
    if (!status && !name_boot(boot)) {
        status = shf_error_set(error, SHF_E_LOCAL, "the system has no random numbers for the cache %s", path);
    }
    if (status) goto done;
    cache = shf_alloc_zero(1, sizeof *cache);
    if (!cache) {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the local cache %s", path);
        goto done;
    }
    atomic_init(&cache->references, 1);
    atomic_init(&cache->allowance, 0);
    cache->runtime = shf_rt_retain(runtime);
    cache->directory = directory;
    cache->path = path;
    memcpy(cache->boot, boot, sizeof boot);
    cache->max_bytes = max_bytes ? max_bytes : SHF_CACHE_DEFAULT_BYTES;
    shf_cache_remove_stale(cache);
    *out = cache;
    return SHF_OK;
done:
    if (directory >= 0) shf_fs_close(directory);
    shf_free(path);
    return status;
}

struct shf_disk_cache *shf_disk_cache_retain(struct shf_disk_cache *cache) {
    atomic_fetch_add_explicit(&cache->references, 1, memory_order_relaxed);
    return cache;
}

void shf_disk_cache_release(struct shf_disk_cache *cache) {
    if (!cache || atomic_fetch_sub_explicit(&cache->references, 1, memory_order_acq_rel) != 1) return;
    shf_fs_close(cache->directory);
    shf_rt_release(cache->runtime);
    shf_free(cache->path);
    shf_free(cache);
}

/* ---- names ---- */

shf_status shf_cache_key_make(const char *const *parts, size_t count, struct shf_cache_key *out,
                              struct shf_error **error) {
    struct shf_cache_key key;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < count; i++) {
        ok = EVP_DigestUpdate(context, parts[i], strlen(parts[i]) + 1) == 1; /* the NUL parts them */
    }
    ok = ok && EVP_DigestFinal_ex(context, key.digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!ok) return shf_error_set(error, SHF_E_NO_MEMORY, "OpenSSL could not make a SHA-256 digest");
    *out = key;
    return SHF_OK;
}

void shf_cache_names_make(const struct shf_cache_key *key, const char *kind, struct shf_cache_names *out) {
    char digest[2 * sizeof key->digest + 1];
    assert(kind[0] && strlen(kind) < SHF_CACHE_KIND_BYTES && strspn(kind, "abcdefghijklmnopqrstuvwxyz") == strlen(kind));
    shf_hex_encode(key->digest, sizeof key->digest, digest);
    (void)snprintf(out->data, sizeof out->data, "%s.%.15s", digest, kind);
    (void)snprintf(out->record, sizeof out->record, "%s.%.15s" SHF_CACHE_RECORD_SUFFIX, digest, kind);
}

/* ---- find ---- */

/* Out of the way with it, unless somebody just now puts a better one in place. */
static void throw_away(struct shf_disk_cache *cache, const struct shf_cache_key *key, const char *kind) {
    struct shf_cache_names names;
    int lock = shf_cache_lock(cache, 0);
    if (lock < 0) return;
    shf_cache_names_make(key, kind, &names);
    bool gone = shf_cache_evict(cache, names.data);
    shf_cache_unlock(lock);
    if (!gone) return;
    shf_log_write(shf_rt_log(cache->runtime), SHF_LOG_WARNING,
                  "the file %s in the cache %s did not agree with its record and was thrown away", names.data,
                  cache->path);
}

shf_status shf_disk_cache_find(struct shf_disk_cache *cache, const struct shf_cache_key *key, const char *kind,
                               bool *found, struct shf_mapped_file *out, struct shf_error **error) {
    enum shf_cache_answer answer;
    struct shf_rt_counters *counters = shf_rt_counters(cache->runtime);
    shf_status status = shf_cache_entry_open(cache, key, kind, &answer, out, error);
    if (status) return status;
    if (answer == SHF_CACHE_SPOILED) throw_away(cache, key, kind);
    *found = answer == SHF_CACHE_FOUND;
    atomic_fetch_add_explicit(*found ? &counters->cache_hits : &counters->cache_misses, 1, memory_order_relaxed);
    return SHF_OK;
}
