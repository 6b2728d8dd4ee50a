#include "hostile/slatedb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 64 };

struct slatedb_sound slatedb_sound;

static char key_texts[16][MOST_ROWS][16], value_texts[16][MOST_ROWS][64];

/* Rows "xNN", xNN+step, ... in the given texts, and what is to be expected of them: called from old to new. */
static size_t make_rows(struct test_row *rows, unsigned texts, char letter, unsigned first, unsigned count, uint64_t seq) {
    for (unsigned i = 0; i < count; i++) {
        char *key = key_texts[texts][i], *value = value_texts[texts][i];
        (void)snprintf(key, sizeof key_texts[0][0], "%c%02u", letter, first + i);
        (void)snprintf(value, sizeof value_texts[0][0], "%s of %u, a value that says it again: %s", key, texts, key);
        rows[i] = (struct test_row){.key = key, .value = (first + i) % 9 == 4 ? NULL : value, .seq = seq + i};
        composite_expect(key, strlen(key), rows[i].value, rows[i].value ? strlen(value) : 0);
    }
    return count;
}

const char *slatedb_sst_name(uint64_t ulid) {
    static char name[SHF_SLATEDB_NAME_BYTES];
    const struct shf_slatedb_object object = {.kind = SHF_SLATEDB_SST, .ulid = {1, ulid}};
    shf_slatedb_name_format(&object, name);
    return name;
}

static void make_run(struct database *db) {
    struct test_row rows[MOST_ROWS];
    for (unsigned i = 0; i < SLATEDB_RUN_SSTS; i++) {
        const struct sst_options options = {
            .version = 2, .codec = (uint8_t)(1 + i), .block_rows = 7, .filter = (int)i - 1};
        size_t count = make_rows(rows, i, 'r', i * 20, 20, 1);
        slatedb_sound.run_ssts[i] = add_sst(db, 20 + i, rows, count, &options);
    }
    slatedb_sound.run = (struct made_run){.id = 1, .ssts = slatedb_sound.run_ssts, .count = SLATEDB_RUN_SSTS};
}

static void make_l0(struct database *db) {
    static const struct sst_options plain = {.version = 2, .block_rows = 10, .filter = 0};
    static const struct sst_options packed = {.version = 2, .codec = 4, .block_rows = 10, .filter = 1};
    struct test_row rows[MOST_ROWS];
    size_t count = make_rows(rows, 4, 'a', 0, 30, 40);
    slatedb_sound.l0[1] = add_sst(db, 11, rows, count, &plain);
    count = make_rows(rows, 5, 'r', 5, 3, 80);
    slatedb_sound.l0[0] = add_sst(db, 12, rows, count, &packed);
}

/* Objects 1 to 4 are in SSTs already, and some of them are gone, as they may be. */
static void make_wal(struct database *db) {
    static const struct sst_options plain = {.version = 2, .block_rows = 4, .filter = -1};
    static const struct sst_options packed = {.version = 2, .codec = 3, .block_rows = 50, .filter = -1};
    struct test_row rows[MOST_ROWS] = {{0}};
    add_wal(db, 4, rows, 0, &plain);
    add_wal(db, 5, rows, 0, &plain);
    size_t count = make_rows(rows, 6, 'w', 0, 10, 101);
    add_wal(db, 6, rows, count, &plain);
    count = make_rows(rows, 7, 'a', 3, 4, 120);
    add_wal(db, 7, rows, count, &packed);
}

void slatedb_make_sound(void) {
    struct database db = {0};
    const struct made_manifest old = {.version = 1};
    make_run(&db);
    make_l0(&db);
    make_wal(&db);
    slatedb_sound.manifest = (struct made_manifest){
        .version = 1,
        .replay_after = SLATEDB_REPLAY_AFTER,
        .last_l0_seq = SLATEDB_LAST_L0_SEQ,
        .top = {.l0 = slatedb_sound.l0, .l0_count = SLATEDB_L0S, .runs = &slatedb_sound.run, .run_count = 1}};
    add_manifest(&db, 2, &old);
    add_manifest(&db, 3, &slatedb_sound.manifest);
    for (size_t i = 0; i < db.object_count; i++) {
        composite_put(db.objects[i].name, db.objects[i].bytes, db.objects[i].size);
    }
    database_free(&db);
    static const char *const absent[] = {"\x01", "a", "a030", "b", "r", "r1", "r19x", "r99", "w", "w20", "x", "\xff"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        composite_expect(absent[i], strlen(absent[i]), NULL, 0);
}

void slatedb_try_manifest(const struct made_manifest *manifest, enum composite_wish wish, const char *text,
                          const char *name) {
    struct bytes bytes = {0};
    make_manifest(&bytes, manifest);
    composite_try_one(COMPOSITE_KEYS, wish, text, SLATEDB_MANIFEST, bytes.data, bytes.size, "manifest: %s", name);
    bytes_free(&bytes);
}
