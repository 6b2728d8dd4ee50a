/*
 * Damaged SQLite files, read by our walker and by libsqlite3: what both answer must be the same. Either may refuse
 * instead. libsqlite3 is asked with its default settings (no cell size check).
 *
 *   SHF_DIFFERENTIAL=100000       files (default: DEFAULT_FILES)
 *   SHF_DIFFERENTIAL_SEED=N       the first file; file i of a run is the first of a run that begins at N + i
 *
 * Two differences are known. libsqlite3 looks a key of kv up by going to the first that is not less (SeekGE), past cells
 * that are equal, down to a leaf; ours ends at the first equal cell that it meets, as libsqlite3's other search does (that
 * of IN, and of INSERT). On a sound file that is the same. On a damaged one:
 *   - another key: left of the row lies a greater key, and going on there ends at that. libsqlite3, which has met an equal
 *     cell on its way, takes it to be the row (it does not compare once more), and gives the value of another key.
 *   - twice: the key is there more than once, and the two searches end at different ones of its rows.
 * Both are counted, and each is proved: libsqlite3's other search ends at the very row that we gave. Whether a key is there
 * at all is always held against the search of IN, where nothing is excused.
 */
#include "support.h"

#include "sqlite_answers.h"
#include "sqlite_mutate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_FILES 6000
#define DEFAULT_SEED 20260101u
#define KEYS_OF_A_FILE 16u /* stored ones; each is asked for with a neighbour */
#define ROWS_OF_A_TABLE 10u
#define MOST_ROWS_OF_A_SCAN 3000u
#define MOST_SHOWN 20u

static struct {
    uint64_t files, files_we_refused, files_peer_refused;
    uint64_t lookups, same, found, we_refused, peer_refused, both_refused, another_key, twice;
    uint64_t wrong;
} counts;

static struct {
    const struct sample *sample;
    size_t sample_number;
    uint64_t seed;
    const uint8_t *bytes;
    size_t size;
    struct ours ours;
    struct peer peer;
    struct answer ours_answer, peer_answer;
} now;

static const char *word(enum answer_kind kind) {
    return kind == ANSWER_FOUND ? "found" : kind == ANSWER_ABSENT ? "absent" : "refused";
}

static void wrong(const char *what, const struct answer *ours, enum answer_kind peer) {
    if (counts.wrong++ >= MOST_SHOWN) return;
    print_error("SHF_DIFFERENTIAL_SEED=%" PRIu64
                " SHF_DIFFERENTIAL=1 (sample %zu): %s: ours %s, %zu bytes; libsqlite3 %s\n",
                now.seed, now.sample_number, what, word(ours->kind), ours->size, word(peer));
}

/* Counts a lookup when one of the two refused it. */
static bool is_refused(const struct answer *ours, const struct answer *peer) {
    bool we = ours->kind == ANSWER_REFUSED, they = peer->kind == ANSWER_REFUSED;
    counts.lookups++;
    counts.both_refused += we && they;
    counts.we_refused += we && !they;
    counts.peer_refused += they && !we;
    return we || they;
}

static void count_same(const struct answer *ours) {
    counts.same++;
    counts.found += ours->kind == ANSWER_FOUND;
}

static void compare(const char *what, const struct answer *ours, const struct answer *peer) {
    if (is_refused(ours, peer)) return;
    if (answer_equal(ours, peer)) {
        count_same(ours);
    } else {
        wrong(what, ours, peer->kind);
    }
}

/* ---- kv ---- */

/* The answer is another one than that of libsqlite3's first search; see the head of this file. */
static void explain(const struct sample_key *key, const struct answer *ours, const struct answer *peer, bool same_key) {
    struct answer other = {0};
    if (ours->kind == ANSWER_FOUND) peer_conflict(now.bytes, now.size, key, &other);
    if (ours->kind != ANSWER_FOUND || !answer_equal(ours, &other)) {
        wrong("kv, SeekGE", ours, peer->kind);
    } else if (same_key && peer->kind == ANSWER_FOUND) {
        counts.twice++;
    } else {
        counts.another_key++;
    }
    answer_free(&other);
}

static void compare_key(const struct sample_key *key) {
    struct answer *ours = &now.ours_answer, *peer = &now.peer_answer;
    struct answer other = {0};
    bool same_key;
    ours_get(&now.ours, WAY_WALK, key, ours);
    for (enum our_way way = WAY_SEPARATORS; way < OUR_WAYS; way++) {
        ours_get(&now.ours, way, key, &other);
        if (!answer_equal(ours, &other)) wrong("kv, ways of ours differ", &other, ours->kind);
    }
    answer_free(&other);
    if (ours->kind != ANSWER_REFUSED) {
        enum answer_kind has = peer_has(&now.peer, key);
        if (has != ANSWER_REFUSED && has != ours->kind) wrong("kv, IN", ours, has);
    }
    peer_get(&now.peer, key, peer, &same_key);
    if (is_refused(ours, peer)) return;
    if (same_key && answer_equal(ours, peer)) {
        count_same(ours);
    } else {
        explain(key, ours, peer, same_key);
    }
}

/* The key cut, lengthened or changed. */
static void compare_neighbour(const struct sample_key *key, uint64_t *seed) {
    uint8_t *bytes = malloc(key->size + 1);
    struct sample_key near = {bytes, key->size};
    memcpy(bytes, key->bytes, key->size);
    switch (random_next(seed) % 4) {
    case 0: near.size = random_next(seed) % key->size; break;
    case 1: bytes[near.size++] = (uint8_t)random_next(seed); break;
    case 2: bytes[key->size - 1]++; break;
    default: bytes[random_next(seed) % key->size] ^= (uint8_t)(1u << random_next(seed) % 8); break;
    }
    compare_key(&near);
    free(bytes);
}

static void compare_kv(uint64_t *seed) {
    const struct sample *sample = now.sample;
    struct shf_kv_scan scan = {0};
    for (size_t i = 0; i < KEYS_OF_A_FILE; i++) {
        const struct sample_key *key = &sample->keys[random_next(seed) % sample->key_count];
        compare_key(key);
        compare_neighbour(key, seed);
    }
    for (size_t i = 0; i < MOST_ROWS_OF_A_SCAN; i++) {
        ours_kv_next(&now.ours, &scan, &now.ours_answer);
        peer_next(now.peer.kv_scan, &now.peer_answer);
        compare("kv, scan", &now.ours_answer, &now.peer_answer);
        if (now.ours_answer.kind != ANSWER_FOUND || now.peer_answer.kind != ANSWER_FOUND) break;
    }
}

/* ---- rowid tables ---- */

static void compare_table(size_t number, uint64_t *seed) {
    const struct sample_table *table = &now.sample->tables[number];
    struct shf_sqlite_scan scan = {0};
    for (size_t i = 0; i < ROWS_OF_A_TABLE; i++) {
        uint64_t row = random_next(seed) % (uint64_t)(table->rows + 1);
        int64_t rowid = table->first_rowid + (int64_t)row * table->rowid_step;
        if (random_next(seed) % 4 == 0) rowid += (int64_t)(random_next(seed) % 3) - 1;
        ours_row(&now.ours, number, rowid, &now.ours_answer);
        peer_row(&now.peer, number, rowid, &now.peer_answer);
        compare(table->name, &now.ours_answer, &now.peer_answer);
    }
    for (size_t i = 0; i < MOST_ROWS_OF_A_SCAN; i++) {
        ours_next(&now.ours, number, &scan, &now.ours_answer);
        peer_next(now.peer.tables[number].scan, &now.peer_answer);
        compare(table->name, &now.ours_answer, &now.peer_answer);
        if (now.ours_answer.kind != ANSWER_FOUND || now.peer_answer.kind != ANSWER_FOUND) break;
    }
}

/* ---- files ---- */

static bool peer_reads_something(void) {
    bool reads = now.peer.get != NULL;
    for (size_t i = 0; i < now.sample->table_count; i++) reads = reads || now.peer.tables[i].scan;
    return reads;
}

static void compare_file(const struct sample *samples, size_t sample_count, uint64_t file_seed, bool damaged) {
    uint64_t seed = file_seed;
    now.seed = file_seed;
    now.sample_number = random_next(&seed) % sample_count;
    now.sample = &samples[now.sample_number];
    size_t size = now.sample->size;
    uint8_t *bytes = malloc(size + SQLITE_MUTATE_ROOM);
    memcpy(bytes, now.sample->bytes, size);
    if (damaged) sqlite_mutate(&seed, bytes, &size, now.sample->page_size);
    bytes = realloc(bytes, size); /* of exact size, for ASan */
    now.bytes = bytes;
    now.size = size;
    bool we_read = ours_open(&now.ours, now.sample, bytes, size);
    peer_open(&now.peer, now.sample, bytes, size);
    bool peer_reads = peer_reads_something();
    counts.files++;
    counts.files_we_refused += !we_read;
    counts.files_peer_refused += !peer_reads;
    if (we_read && peer_reads) {
        if (now.sample->key_count) compare_kv(&seed);
        for (size_t i = 0; i < now.sample->table_count; i++) compare_table(i, &seed);
    }
    peer_close(&now.peer);
    ours_close(&now.ours);
    free(bytes);
}

static uint64_t setting(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void show_counts(void) {
    print_message("%" PRIu64 " files: %" PRIu64 " refused by us, %" PRIu64 " by libsqlite3\n", counts.files,
                  counts.files_we_refused, counts.files_peer_refused);
    print_message("%" PRIu64 " lookups and rows of scans: %" PRIu64 " the same (%" PRIu64 " found), refused %" PRIu64
                  " by us alone, %" PRIu64 " by libsqlite3 alone, %" PRIu64 " by both\n",
                  counts.lookups, counts.same, counts.found, counts.we_refused, counts.peer_refused, counts.both_refused);
    print_message("another key's row by SeekGE: %" PRIu64 "; keys that are there twice: %" PRIu64 "; wrong: %" PRIu64
                  "\n",
                  counts.another_key, counts.twice, counts.wrong);
}

static void test_sound_files(void **state) {
    size_t count;
    struct sample *samples = samples_make(&count);
    (void)state;
    for (uint64_t i = 0; i < 8 * count; i++) compare_file(samples, count, i, false);
    assert_int_equal(counts.wrong, 0);
    assert_int_equal(counts.same, counts.lookups);
    assert_true(counts.found > counts.lookups / 2);
    samples_free(samples, count);
}

static void test_damaged_files(void **state) {
    size_t count;
    struct sample *samples = samples_make(&count);
    uint64_t files = setting("SHF_DIFFERENTIAL", DEFAULT_FILES), first = setting("SHF_DIFFERENTIAL_SEED", DEFAULT_SEED);
    (void)state;
    memset(&counts, 0, sizeof counts);
    print_message("%zu samples, %" PRIu64 " files, SHF_DIFFERENTIAL_SEED=%" PRIu64 "\n", count, files, first);
    for (uint64_t i = 0; i < files; i++) compare_file(samples, count, first + i, true);
    show_counts();
    assert_int_equal(counts.wrong, 0);
    samples_free(samples, count);
    answer_free(&now.ours_answer);
    answer_free(&now.peer_answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sound_files), cmocka_unit_test(test_damaged_files)};
    if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) || sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0)) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
