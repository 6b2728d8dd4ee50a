/* The directory as a whole: its lock, what it holds, what has to go. */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/disk_cache_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#define LOCK_NAME "lock"
#define DIGEST_DIGITS 64u
#define RANDOM_DIGITS 32u
#define FIRST_CAPACITY 256u
#define LONGEST_NAP_NS 20000000

/* ---- the lock ---- */

/*
 * The file is opened anew each time: threads of one process exclude each other like processes, and a child of fork() can
 * share the lock only if it is born in the instant in which it is held.
 */
static int open_lock(struct shf_disk_cache *cache) {
    struct stat found;
    for (int attempt = 0; attempt < 2; attempt++) {
        int fd = shf_fs_open(cache->directory, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (fd < 0 && errno != ELOOP && errno != ENXIO) return -1;
        if (fd >= 0) {
            bool known = shf_fs.fstat(fd, &found) == 0;
            if (known && shf_cache_file_is_private(&found)) return fd;
            shf_fs_close(fd);
            if (!known) return -1;
        }
        (void)shf_fs.unlinkat(cache->directory, LOCK_NAME, 0); /* something else in its place */
    }
    return -1;
}

int shf_cache_lock(struct shf_disk_cache *cache, int64_t wait_ms) {
    int64_t deadline_ns = shf_deadline_after_ms(wait_ms);
    struct timespec nap = {.tv_nsec = 500000};
    int fd = open_lock(cache);
    if (fd < 0) return -1;
    while (shf_fs_lock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || shf_deadline_over(deadline_ns)) {
            shf_fs_close(fd);
            return -1;
        }
        (void)nanosleep(&nap, NULL);
        nap.tv_nsec = nap.tv_nsec * 2 < LONGEST_NAP_NS ? nap.tv_nsec * 2 : LONGEST_NAP_NS;
    }
    return fd;
}

void shf_cache_unlock(int lock) {
    (void)shf_fs_lock(lock, LOCK_UN); /* not closing alone: a child may have a copy of the descriptor */
    shf_fs_close(lock);
}

/* ---- names ---- */

static bool is_hex(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f'))) return false;
    }
    return true;
}

static bool is_temporary(const char *name) {
    size_t prefix = strlen(SHF_CACHE_TEMPORARY_PREFIX);
    return strncmp(name, SHF_CACHE_TEMPORARY_PREFIX, prefix) == 0 && strlen(name) == prefix + RANDOM_DIGITS &&
           is_hex(name + prefix, RANDOM_DIGITS);
}

/* DIGEST.KIND, or with the suffix of a record. */
static bool is_entry(const char *name, bool *is_record) {
    if (strnlen(name, SHF_CACHE_NAME_BYTES) >= SHF_CACHE_NAME_BYTES || strlen(name) < DIGEST_DIGITS + 2) return false;
    if (!is_hex(name, DIGEST_DIGITS) || name[DIGEST_DIGITS] != '.') return false;
    const char *kind = name + DIGEST_DIGITS + 1;
    size_t size = strspn(kind, "abcdefghijklmnopqrstuvwxyz");
    if (size == 0 || size >= SHF_CACHE_KIND_BYTES) return false;
    *is_record = strcmp(kind + size, SHF_CACHE_RECORD_SUFFIX) == 0;
    return *is_record || kind[size] == '\0';
}

/* ---- removing ---- */

bool shf_cache_evict(struct shf_disk_cache *cache, const char *data_name) {
    char record[SHF_CACHE_NAME_BYTES + sizeof SHF_CACHE_RECORD_SUFFIX];
    int fd = shf_fs_open(cache->directory, data_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0 && errno != ENOENT && errno != ELOOP && errno != ENXIO) return false;
    if (fd >= 0 && shf_fs_lock(fd, LOCK_EX | LOCK_NB) != 0) { /* in use */
        shf_fs_close(fd);
        return false;
    }
    (void)snprintf(record, sizeof record, "%s" SHF_CACHE_RECORD_SUFFIX, data_name);
    (void)shf_fs.unlinkat(cache->directory, record, 0); /* first, so that none stays alone */
    bool gone = shf_fs.unlinkat(cache->directory, data_name, 0) == 0 || errno == ENOENT;
    if (fd >= 0) shf_fs_close(fd);
    return gone;
}

static void remove_temporary(struct shf_disk_cache *cache, const char *name) {
    int fd = shf_fs_open(cache->directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0 && errno != ELOOP) return;
    if (fd < 0 || shf_fs_lock(fd, LOCK_EX | LOCK_NB) == 0) (void)shf_fs.unlinkat(cache->directory, name, 0);
    if (fd >= 0) shf_fs_close(fd);
}

void shf_cache_remove_stale(struct shf_disk_cache *cache) {
    struct dirent *entry;
    DIR *names = shf_fs_open_names(cache->directory, ".", 0);
    if (!names) return;
    while ((entry = shf_fs.readdir(names)) != NULL) {
        if (is_temporary(entry->d_name)) remove_temporary(cache, entry->d_name);
    }
    (void)shf_fs.closedir(names);
}

/* ---- measuring ---- */

struct entry {
    int64_t used_ns; /* INT64_MIN: no record, of no use */
    uint64_t size;
    char name[SHF_CACHE_NAME_BYTES];
};

struct survey {
    struct entry *entries;
    size_t count, capacity;
    uint64_t total;
};

static bool survey_add(struct survey *survey, const struct entry *entry) {
    if (survey->count == survey->capacity) {
        if (survey->capacity >= SHF_CACHE_FILES) return false;
        size_t capacity = survey->capacity ? survey->capacity * 2 : FIRST_CAPACITY;
        struct entry *grown = shf_realloc_array(survey->entries, capacity, sizeof *grown);
        if (!grown) return false;
        survey->entries = grown;
        survey->capacity = capacity;
    }
    survey->entries[survey->count++] = *entry;
    survey->total += entry->size;
    return true;
}

/* False when there is no room for more names. */
static bool survey_data(struct shf_disk_cache *cache, const char *name, struct survey *survey) {
    struct stat data, record;
    struct entry entry = {.used_ns = INT64_MIN};
    char record_name[SHF_CACHE_NAME_BYTES + sizeof SHF_CACHE_RECORD_SUFFIX];
    if (shf_fs.fstatat(cache->directory, name, &data, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(data.st_mode)) return true;
    (void)snprintf(entry.name, sizeof entry.name, "%s", name);
    (void)snprintf(record_name, sizeof record_name, "%s" SHF_CACHE_RECORD_SUFFIX, name);
    entry.size = (uint64_t)data.st_size;
    if (shf_fs.fstatat(cache->directory, record_name, &record, AT_SYMLINK_NOFOLLOW) == 0) {
        entry.used_ns = shf_fs_modified_ns(&record);
    }
    return survey_add(survey, &entry);
}

static void remove_lone_record(struct shf_disk_cache *cache, const char *record) {
    struct stat data;
    char name[SHF_CACHE_NAME_BYTES];
    (void)snprintf(name, sizeof name, "%.*s", (int)(strlen(record) - strlen(SHF_CACHE_RECORD_SUFFIX)), record);
    if (shf_fs.fstatat(cache->directory, name, &data, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
        (void)shf_fs.unlinkat(cache->directory, record, 0);
    }
}

static bool survey_directory(struct shf_disk_cache *cache, struct survey *survey) {
    struct dirent *entry;
    bool is_record, room = true;
    DIR *names = shf_fs_open_names(cache->directory, ".", 0);
    if (!names) return false;
    while (room && (entry = shf_fs.readdir(names)) != NULL) {
        if (is_temporary(entry->d_name)) {
            remove_temporary(cache, entry->d_name);
        } else if (!is_entry(entry->d_name, &is_record)) {
            continue;
        } else if (is_record) {
            remove_lone_record(cache, entry->d_name);
        } else {
            room = survey_data(cache, entry->d_name, survey);
        }
    }
    (void)shf_fs.closedir(names);
    return true;
}

static int by_last_use(const void *a, const void *b) {
    const struct entry *left = a, *right = b;
    if (left->used_ns != right->used_ns) return left->used_ns < right->used_ns ? -1 : 1;
    return strcmp(left->name, right->name);
}

/*
 * The directory is measured when this process has added what the last measurement left free, and at the latest after a sixteenth of the
 * cap, since others add too; and it is brought a sixteenth below the cap. So a commit seldom costs a walk through all names.
 */
void shf_cache_keep_within(struct shf_disk_cache *cache, uint64_t added) {
    struct survey survey = {0};
    uint64_t step = cache->max_bytes / 16 < INT64_MAX ? cache->max_bytes / 16 : INT64_MAX;
    int64_t taken = added < INT64_MAX ? (int64_t)added : INT64_MAX;
    if (atomic_fetch_sub_explicit(&cache->allowance, taken, memory_order_relaxed) >= taken) return;
    if (survey_directory(cache, &survey)) {
        uint64_t goal = survey.total > cache->max_bytes ? cache->max_bytes - step : cache->max_bytes;
        uint64_t removed = 0;
        if (survey.count) qsort(survey.entries, survey.count, sizeof *survey.entries, by_last_use);
        for (size_t i = 0; i < survey.count; i++) {
            const struct entry *entry = &survey.entries[i];
            if (survey.total <= goal && entry->used_ns != INT64_MIN) break; /* what has no record goes in any case */
            if (!shf_cache_evict(cache, entry->name)) continue;
            survey.total -= entry->size;
            removed++;
        }
        uint64_t room = survey.total < cache->max_bytes ? cache->max_bytes - survey.total : step / 4;
        atomic_store_explicit(&cache->allowance, (int64_t)(room < step ? room : step), memory_order_relaxed);
        if (removed) {
            shf_log_write(shf_rt_log(cache->runtime), SHF_LOG_INFO,
                          "removed %" PRIu64 " files from the cache %s, %" PRIu64 " bytes stay", removed, cache->path,
                          survey.total);
        }
    }
    shf_free(survey.entries);
}
