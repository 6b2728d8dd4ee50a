/* The sound snapshot, its use with one object replaced, and what that may cost. */
#include "hostile/hostile.h"

#include "hostile/stopwatch.h"
#include "integration/support.h"

#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRECTORY "manifests/2026-03-14T10:30:00.123456Z_run_id=0123"
#define SHARD "shards/run_id=0123/db=00000/attempt=00"

static const char *const place_names[HOSTILE_PLACES] = {SHARD "/shard.db", DIRECTORY "/manifest", "_CURRENT",
                                                        SHARD "/shard.sidecar"};
/* What a message must have in it, so that one knows where to look. */
static const char *const place_words[HOSTILE_PLACES] = {"shard.db", "manifest", "_CURRENT", "sidecar"};
static const float query_vector[HOSTILE_DIMENSION] = {0.5f, -1, 2, 0.25f};

static const int page_sizes[] = {512, 4096, 65536};
enum { PAGE_SIZES = sizeof page_sizes / sizeof page_sizes[0] };

static char *root, *snapshot, *cache;
static struct bytes sound[HOSTILE_PLACES], shards[PAGE_SIZES];
static const struct bytes *served;
static size_t allocated_before;
static unsigned objects_of_all;
static struct {
    unsigned objects, refused, failed_later, answered, lenient;
    double slowest_ms;
    uint64_t peak_bytes;
    char slowest[160], peak[160];
} counted;

/* ---- measuring ---- */

static size_t allocated(void) {
    struct mallinfo2 facts = mallinfo2();
    return facts.uordblks + facts.hblkhd;
}

/* ---- the snapshot ---- */

static void make_parents(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0755);
        *slash = '/';
    }
}

void hostile_put(enum hostile_place place, const void *data, size_t size) {
    char *path = support_path("%s/%s", snapshot, place_names[place]);
    make_parents(path);
    support_write_file(path, data, size);
    free(path);
}

int hostile_group_begin(void **state) {
    static const char current[] =
        "{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":\"s3://bucket/"
        "snap/" DIRECTORY "/manifest\",\"run_id\":\"0123\",\"updated_at\":\"2026-03-14T10:30:00.123456Z\"}";
    if (access("/dev/shm", W_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 0); /* thousands of files are synced */
    root = support_temporary_directory();
    snapshot = support_path("%s/snapshot", root);
    cache = support_path("%s/cache", root);
    for (int i = 0; i < PAGE_SIZES; i++) shards[i] = hostile_shard_make(page_sizes[i]);
    sound[HOSTILE_MANIFEST] = hostile_manifest_make();
    sound[HOSTILE_CURRENT] = (struct bytes){(uint8_t *)strdup(current), strlen(current)};
    sound[HOSTILE_SIDECAR] = (struct bytes){(uint8_t *)strdup("SQPC"), 4};
    for (int i = HOSTILE_MANIFEST; i < HOSTILE_PLACES; i++)
        hostile_put((enum hostile_place)i, sound[i].data, sound[i].size);
    hostile_use_page_size(512);
    if (support_set_up(state)) return -1;
    for (int i = 0; i < PAGE_SIZES; i++) {
        const struct bytes *shard = hostile_sound(HOSTILE_SHARD, page_sizes[i]);
        hostile_try(HOSTILE_SHARD, HOSTILE_ANSWERS, "none", shard->data, shard->size, "the sound shard of %d",
                    page_sizes[i]);
    }
    hostile_count("sound");
    allocated_before = allocated();
    return 0;
}

int hostile_group_end(void **state) {
    size_t after = allocated();
    uint64_t kept = after > allocated_before ? after - allocated_before : 0;
    print_message("%u objects in all; %" PRIu64 " KiB more are allocated than before\n", objects_of_all, kept >> 10);
    int held = support_tear_down(state);
    if (kept > HOSTILE_KEPT_BYTES) held = -1;
    for (int i = 0; i < PAGE_SIZES; i++) free(shards[i].data);
    for (int i = HOSTILE_MANIFEST; i < HOSTILE_PLACES; i++) free(sound[i].data);
    support_remove_tree(root);
    free(root);
    free(snapshot);
    free(cache);
    return held;
}

static const struct bytes *shard_of(int page_size) {
    for (int i = 0; i < PAGE_SIZES; i++) {
        if (page_sizes[i] == page_size) return &shards[i];
    }
    fail();
    return NULL;
}

const struct bytes *hostile_sound(enum hostile_place place, int page_size) {
    return place == HOSTILE_SHARD ? shard_of(page_size) : &sound[place];
}

void hostile_use_page_size(int page_size) {
    served = shard_of(page_size);
    hostile_put(HOSTILE_SHARD, served->data, served->size);
}

/* ---- using it ---- */

struct use {
    enum hostile_place place;
    char name[160];
    const char *rule;
    struct oracle oracle;
    bool is_refused, has_failed, is_lenient;
    struct stopwatch took;
};

static void complain(const struct use *use, const char *what, const char *detail) {
    fail_msg("%s, %s (it breaks: %s): %s: %s", place_names[use->place], use->name, use->rule, what, detail);
}

/* A failure must say what is wrong and where. */
static void check_error(const struct use *use, shf_status status, const char *message) {
    bool is_known = status == SHF_E_CORRUPT || status == SHF_E_INDEX || status == SHF_E_LIMIT ||
                    status == SHF_E_MANIFEST || status == SHF_E_UNSUPPORTED || status == SHF_E_STATE ||
                    status == SHF_E_INVALID || status == SHF_E_NOT_FOUND;
    bool is_named = strstr(message, place_words[use->place]) ||
                    (use->place != HOSTILE_SHARD && strstr(message, "manifest")) ||
                    (use->place == HOSTILE_MANIFEST && strstr(message, "shard"));
    if (!is_known || !is_named || strlen(message) < 20 || strlen(message) > 1023) complain(use, "error", message);
    if (strstr(message, "\n")) complain(use, "a message of several lines", message);
}

static void look_up(struct use *use, shf_reader *reader, unsigned index) {
    char text[1024];
    size_t size = hostile_key(index, text), wanted_size = 0;
    const void *wanted = NULL;
    shf_op *op = NULL;
    shf_key key = shf_key_from_text(text, size);
    struct stopwatch watch = stopwatch_start();
    shf_status status = shf_get_sync(reader, &key, NULL, 0, &op);
    stopwatch_add(&use->took, &watch);
    enum oracle_answer answer = oracle_get(&use->oracle, text, size, &wanted, &wanted_size);
    if (status) {
        check_error(use, status, shf_error_message(shf_op_error(op)));
        use->has_failed = true;
    } else {
        shf_value value;
        SHF_INIT(&value);
        assert_int_equal(shf_op_value(op, 0, &value), SHF_OK);
        if (answer == ORACLE_ERROR) {
            use->is_lenient = true;
        } else if (use->place == HOSTILE_MANIFEST && value.status) {
            /* a manifest may well say that its shard is empty */
        } else if ((answer == ORACLE_FOUND) != (value.status == SHF_OK)) {
            complain(use, value.status ? "not found, but is there" : "found, but is not there", text);
        } else if (answer == ORACLE_FOUND && (value.data.size != wanted_size ||
                                              (wanted_size && memcmp(value.data.data, wanted, wanted_size) != 0))) {
            complain(use, "another value", text);
        }
    }
    shf_op_release(op);
}

static void compare_hits(struct use *use, shf_op *op) {
    double wanted[HOSTILE_MAX_HITS];
    unsigned count = 0;
    size_t hits = shf_op_hit_count(op, 0);
    if (!oracle_search(&use->oracle, query_vector, wanted, &count)) {
        use->is_lenient = true;
        return;
    }
    if (hits != count && (hits || use->place != HOSTILE_MANIFEST)) {
        char numbers[64];
        (void)snprintf(numbers, sizeof numbers, "%zu, not %u", hits, count);
        complain(use, "number of hits", numbers);
    }
    for (size_t i = 0; i < hits; i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        assert_int_equal(shf_op_hit(op, 0, i, &hit), SHF_OK);
        if (fabs(hit.score - wanted[i]) > 1e-9 * (1 + wanted[i])) complain(use, "another distance", "");
    }
}

static void search(struct use *use, shf_reader *reader, const shf_vector_id *like) {
    shf_op *op = NULL;
    shf_query query;
    SHF_INIT(&query);
    query.dimension = HOSTILE_DIMENSION;
    query.vector = like ? NULL : query_vector;
    query.like = like;
    query.top_k = HOSTILE_MAX_HITS;
    struct stopwatch watch = stopwatch_start();
    shf_status status = shf_search_sync(reader, &query, 0, &op);
    stopwatch_add(&use->took, &watch);
    /* An id that is gone is no fault. */
    bool is_gone = like && status == SHF_E_INVALID && strstr(shf_error_message(shf_op_error(op)), "no stored vector");
    if (status && !is_gone) {
        check_error(use, status, shf_error_message(shf_op_error(op)));
        use->has_failed = true;
    } else if (!status && !like) {
        compare_hits(use, op);
    }
    shf_op_release(op);
}

/* By place: the last row that the sound shard has, and one that none has. */
static void search_places(struct use *use, shf_reader *reader) {
    static const shf_vector_place places[] = {{.row = HOSTILE_ROWS - 1}, {.row = UINT64_MAX}};
    for (size_t i = 0; i < 2; i++) {
        shf_op *op = NULL;
        shf_query query;
        SHF_INIT(&query);
        query.like_place = &places[i];
        query.top_k = HOSTILE_MAX_HITS;
        struct stopwatch watch = stopwatch_start();
        shf_status status = shf_search_sync(reader, &query, 0, &op);
        stopwatch_add(&use->took, &watch);
        bool is_gone = status == SHF_E_INVALID && strstr(shf_error_message(shf_op_error(op)), "`like_place`");
        if (i == 1 && !status) complain(use, "a row that no shard has", "");
        if (status && !is_gone) {
            check_error(use, status, shf_error_message(shf_op_error(op)));
            use->has_failed = true;
        }
        shf_op_release(op);
    }
}

static void ask(struct use *use, shf_reader *reader) {
    const shf_vector_id like = {.kind = SHF_ID_INT, .int_value = 1000 + HOSTILE_ROWS - 1};
    for (unsigned i = 0; i < HOSTILE_KEYS + 40; i += 41) look_up(use, reader, i);
    for (unsigned i = 5; i < HOSTILE_KEYS; i += 97) look_up(use, reader, i);
    for (unsigned i = 7; i < HOSTILE_KEYS; i += 150) look_up(use, reader, i);
    search(use, reader, NULL);
    search(use, reader, &like);
    search_places(use, reader);
}

static void use_once(struct use *use) {
    shf_status status;
    use->is_refused = use->has_failed = use->is_lenient = false;
    struct stopwatch watch = stopwatch_start();
    shf_reader *reader = support_open(snapshot, cache, 0, &status);
    use->took = (struct stopwatch){0};
    stopwatch_add(&use->took, &watch);
    if (!reader) {
        check_error(use, status, support_message);
        use->is_refused = true;
        return;
    }
    ask(use, reader);
    watch = stopwatch_start();
    support_close(reader);
    stopwatch_add(&use->took, &watch);
}

const char *hostile_snapshot(void) { return snapshot; }

void hostile_expect_right(shf_reader *reader, const char *name) {
    struct use use = {.place = HOSTILE_SHARD, .rule = "none"};
    (void)snprintf(use.name, sizeof use.name, "%s", name);
    oracle_open(&use.oracle, served->data, served->size);
    ask(&use, reader);
    oracle_close(&use.oracle);
    if (use.has_failed || use.is_lenient) complain(&use, "not answered as it must be", support_message);
}

static void check_given_back(const struct use *use) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    if (stats.budget_used_bytes) complain(use, "bytes of the budget are not given back", "");
    if (stats.mapped_bytes) complain(use, "a file stays mapped", "");
    if (stats.inflight_ops) complain(use, "an operation stays", "");
}

static void count(const struct use *use, uint64_t peak) {
    counted.objects++;
    counted.refused += use->is_refused;
    counted.failed_later += !use->is_refused && use->has_failed;
    counted.answered += !use->is_refused && !use->has_failed;
    counted.lenient += use->is_lenient;
    if (use->took.wall_ms > counted.slowest_ms) {
        counted.slowest_ms = use->took.wall_ms;
        (void)snprintf(counted.slowest, sizeof counted.slowest, "%s", use->name);
    }
    if (peak > counted.peak_bytes) {
        counted.peak_bytes = peak;
        (void)snprintf(counted.peak, sizeof counted.peak, "%s", use->name);
    }
}

void hostile_try(enum hostile_place place, enum hostile_wish wish, const char *rule, const void *data, size_t size,
                 const char *name, ...) {
    struct use use = {.place = place, .rule = rule};
    const struct bytes *judged = served;
    const struct bytes given = {(uint8_t *)(uintptr_t)data, size};
    va_list arguments;
    va_start(arguments, name);
    (void)vsnprintf(use.name, sizeof use.name, name, arguments);
    va_end(arguments);
    if (place == HOSTILE_SHARD) judged = &given;
    oracle_open(&use.oracle, judged->data, judged->size);
    hostile_put(place, data, size);
    uint64_t before = hostile_forget_peak();
    struct stopwatch best = {1e9, 1e9};
    bool is_hopeless = false;
    for (int i = 0; i < HOSTILE_TRIES && best.wall_ms > HOSTILE_MAX_MS && !is_hopeless; i++) {
        use_once(&use);
        stopwatch_keep_best(&best, &use.took);
        is_hopeless = use.took.cpu_ms > 20 * HOSTILE_MAX_MS;
    }
    use.took = best;
    uint64_t peak = hostile_peak_since(before);
    count(&use, peak);
    if (stopwatch_is_too_long(&best)) complain(&use, "too slow", counted.slowest);
    if (!HOSTILE_SLOWED && peak > HOSTILE_PEAK_BYTES) complain(&use, "too much memory", counted.peak);
    check_given_back(&use);
    if (wish == HOSTILE_FAILS && !use.is_refused && !use.has_failed) complain(&use, "taken", "");
    if (wish == HOSTILE_ANSWERS && (use.is_refused || use.has_failed || use.is_lenient)) {
        complain(&use, "not answered as it must be", support_message);
    }
    oracle_close(&use.oracle);
    if (place == HOSTILE_SHARD) return; /* the next one or hostile_use_page_size replaces it */
    hostile_put(place, sound[place].data, sound[place].size);
}

void hostile_count(const char *what) {
    print_message(
        "%s: %u objects; %u refused at open, %u at use, %u answered rightly (libsqlite3 refuses %u of those that "
        "we read); slowest %.1f ms (%s); peak %" PRIu64 " KiB (%s)\n",
        what, counted.objects, counted.refused, counted.failed_later, counted.answered, counted.lenient,
        counted.slowest_ms, counted.slowest, counted.peak_bytes >> 10, counted.peak);
    objects_of_all += counted.objects;
    memset(&counted, 0, sizeof counted);
    support_remove_tree(cache);
}
