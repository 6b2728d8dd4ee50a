/*
 * Hostile objects: one object of a small snapshot in files is replaced by one that breaks a rule, and the snapshot is used
 * through the public API. Each use must end in one clear error that names the object, or in answers that are right; it
 * must be quick, stay small, and give everything back.
 */
#ifndef SHF_TESTS_HOSTILE_H
#define SHF_TESTS_HOSTILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct bytes {
    uint8_t *data; /* free() it */
    size_t size;
};

enum hostile_place { HOSTILE_SHARD, HOSTILE_MANIFEST, HOSTILE_CURRENT, HOSTILE_SIDECAR, HOSTILE_PLACES };
enum hostile_wish {
    HOSTILE_FAILS, /* the open or a use of it must be refused */
    HOSTILE_MAY_DO, /* an answer is fine when it is the one of libsqlite3 over the same bytes, or of the sound snapshot */
    HOSTILE_ANSWERS /* it is no attack on what is read: all must be as in the sound snapshot */
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SHF_COVERAGE)
#define HOSTILE_SLOWED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HOSTILE_SLOWED 1
#endif
#endif
#ifndef HOSTILE_SLOWED
#define HOSTILE_SLOWED 0
#endif

#define HOSTILE_MAX_MS (HOSTILE_SLOWED ? 2000 : 100) /* all calls on one object, best of HOSTILE_TRIES */
#define HOSTILE_TRIES 8                              /* the machine may be busy; see stopwatch.h too */
#define HOSTILE_PEAK_BYTES ((uint64_t)96 << 20)      /* resident memory more than before, at the peak */
#define HOSTILE_KEPT_BYTES ((uint64_t)4 << 20)       /* allocated after all of them more than before */

/* Group fixtures of cmocka: runtime, directories, the sound snapshot; the end checks what was given back. */
int hostile_group_begin(void **state);
int hostile_group_end(void **state);

/* The objects of the sound snapshot with a shard of this page size; borrowed. */
const struct bytes *hostile_sound(enum hostile_place place, int page_size);
/* Serves this shard from now on where another object is attacked. */
void hostile_use_page_size(int page_size);

/* Uses the snapshot with one object replaced. The name is printed when something is wrong. */
void hostile_try(enum hostile_place place, enum hostile_wish wish, const char *rule, const void *data, size_t size,
                 const char *name, ...) __attribute__((format(printf, 6, 7)));
struct shf_reader;
const char *hostile_snapshot(void);                                        /* its directory */
void hostile_put(enum hostile_place place, const void *data, size_t size); /* until it is replaced again */
/* Resident memory now, for the other, which gives how much more it was at the peak since. */
uint64_t hostile_forget_peak(void);
uint64_t hostile_peak_since(uint64_t before);
/* All answers of a reader of the sound snapshot are right, or the test fails. */
void hostile_expect_right(struct shf_reader *reader, const char *name);
/* Prints what was counted since the last call. */
void hostile_count(const char *what);

/* ---- databases, made and asked with libsqlite3 ---- */

enum { HOSTILE_KEYS = 600, HOSTILE_ROWS = 20, HOSTILE_DIMENSION = 4, HOSTILE_SLOTS = 64 };

struct bytes hostile_shard_make(int page_size);
struct bytes hostile_manifest_make(void);
/* A copy of the database after these statements; a text argument is bound to ?1 of each that has one. Fails the test. */
struct bytes hostile_run_sql(const struct bytes *database, const char *sql, const char *argument, size_t argument_size);

size_t hostile_key(unsigned index, char out[1024]); /* of row `index`; its size */

struct sqlite3;
struct sqlite3_stmt;
/* libsqlite3 over the same bytes. */
struct oracle {
    struct bytes copy;
    struct sqlite3 *db;
    struct sqlite3_stmt *select;
};
enum oracle_answer { ORACLE_ERROR, ORACLE_ABSENT, ORACLE_FOUND };
void oracle_open(struct oracle *oracle, const void *data, size_t size);
void oracle_close(struct oracle *oracle);
/* The value lives until the next call. */
enum oracle_answer oracle_get(struct oracle *oracle, const void *key, size_t key_size, const void **value, size_t *size);
/* Distances (l2) of all live vectors, sorted; false when it can not read them all. out: HOSTILE_MAX_HITS. */
enum { HOSTILE_MAX_HITS = 64 };
bool oracle_search(struct oracle *oracle, const float *query, double *out, unsigned *count);
unsigned oracle_root(const struct bytes *database, const char *table);

/* ---- the attacks ---- */

void hostile_headers(void **state);    /* file header, truncation */
void hostile_trees(void **state);      /* pages, cells, pointers, overflow chains */
void hostile_deep_trees(void **state); /* cycles, depth, trees whose walk would be exponential */
void hostile_tables(void **state);     /* schema, key-value table */
void hostile_vectors(void **state);    /* vec0, ids, payloads */
void hostile_manifests(void **state);
void hostile_manifest_json(void **state);
void hostile_pointers(void **state); /* _CURRENT */
void hostile_sidecars(void **state);
void hostile_shared_rows(void **state);
void hostile_multiplied(void **state); /* answers that are many times the file */

#endif
