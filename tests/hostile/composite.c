/* The sound snapshot of databases, its use with some objects replaced, and what that may cost; see composite.h. */
#include "hostile/composite.h"

#include "hostile/stopwatch.h"
#include "integration/support.h"
#include "integration/wrap.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_OBJECTS = 256, MOST_CHANGES = 256, MOST_KEYS = 512, MOST_HITS = 128, TRIES_OF_A_CACHE = 50 };

struct object {
    char *name;
    uint8_t *data; /* NULL, of a change: it is not there */
    size_t size;
};
struct key {
    uint8_t *key, *value;
    size_t key_size, value_size;
};
struct remembered_hit {
    double score;
    char *id, *payload;
};

static char *root, *snapshot, *cache;
static int dimension;
static struct object objects[MOST_OBJECTS], changes[MOST_CHANGES];
static struct key keys[MOST_KEYS];
static struct remembered_hit hits[MOST_HITS];
static size_t object_count, change_count, key_count, hit_count, allocated_before;
static unsigned allowed_times = 1, tried_of_all;
static struct {
    unsigned tried, refused, failed_later, answered;
    double slowest_ms;
    uint64_t peak_bytes;
    char slowest[200], peak[200];
} counted;

const char *composite_snapshot(void) { return snapshot; }
const char *composite_cache(void) { return cache; }
void composite_allow_times(unsigned times) { allowed_times = times; }

/* ---- objects ---- */

static char *path_of(const char *name) { return support_path("%s/" WRAP_SHARD "/%s", snapshot, name); }

/* The file, and the directories above it that are empty then. */
static void remove_object(char *path) {
    char *end = path + strlen(snapshot) + sizeof WRAP_SHARD + 1, *slash;
    (void)remove(path);
    while ((slash = strrchr(end, '/')) != NULL) {
        *slash = '\0';
        if (rmdir(path) != 0) break;
    }
}

static void write_object(const struct object *object) {
    char *path = path_of(object->name);
    for (char *slash = strchr(path + strlen(snapshot), '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0) assert_int_equal(errno, EEXIST);
        *slash = '/';
    }
    if (object->data) {
        support_write_file(path, object->data, object->size);
    } else {
        remove_object(path);
    }
    free(path);
}

static uint8_t *copy_of(const void *data, size_t size) {
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    if (size) memcpy(copy, data, size);
    return copy;
}

static struct object *find(const char *name) {
    for (size_t i = 0; i < object_count; i++) {
        if (strcmp(objects[i].name, name) == 0) return &objects[i];
    }
    return NULL;
}

void composite_put(const char *name, const void *data, size_t size) {
    assert_true(object_count < MOST_OBJECTS && !find(name));
    objects[object_count] = (struct object){strdup(name), copy_of(data, size), size};
    write_object(&objects[object_count++]);
}

void composite_put_folder(const char *folder, const char *name) {
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    if (!directory) fail_msg("there is no %s", folder);
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        char *path = support_path("%s/%s", folder, entry->d_name), *inner = support_path("%s%s", name, entry->d_name);
        if (entry->d_type == DT_DIR) {
            char *below = support_path("%s/", inner);
            composite_put_folder(path, below);
            free(below);
        } else {
            size_t size;
            char *data = support_read_file(path, &size);
            composite_put(inner, data, size);
            free(data);
        }
        free(path);
        free(inner);
    }
    (void)closedir(directory);
}

static void free_object(struct object *object) {
    free(object->name);
    free(object->data);
    *object = (struct object){0};
}

void composite_forget(const char *prefix) {
    size_t kept = 0;
    for (size_t i = 0; i < object_count; i++) {
        if (strncmp(objects[i].name, prefix, strlen(prefix)) != 0) {
            objects[kept++] = objects[i];
            continue;
        }
        char *path = path_of(objects[i].name);
        remove_object(path);
        free(path);
        free_object(&objects[i]);
    }
    object_count = kept;
}

const void *composite_object(const char *name, size_t *size) {
    const struct object *object = find(name);
    if (object) *size = object->size;
    return object ? object->data : NULL;
}

const char *composite_name(const char *part, unsigned nth) {
    for (size_t i = 0; i < object_count; i++) {
        if (strstr(objects[i].name, part) && nth-- == 0) return objects[i].name;
    }
    return NULL;
}

void composite_expect(const void *key, size_t key_size, const void *value, size_t value_size) {
    struct key made = {copy_of(key, key_size), value ? copy_of(value, value_size) : NULL, key_size, value_size};
    for (size_t i = 0; i < key_count; i++) { /* the later word counts */
        if (keys[i].key_size != key_size || memcmp(keys[i].key, key, key_size) != 0) continue;
        free(keys[i].key);
        free(keys[i].value);
        keys[i] = made;
        return;
    }
    assert_true(key_count < MOST_KEYS);
    keys[key_count++] = made;
}

static void forget_hits(void) {
    for (size_t i = 0; i < hit_count; i++) {
        free(hits[i].id);
        free(hits[i].payload);
    }
    hit_count = 0;
}

void composite_clear(void) {
    composite_forget("");
    for (size_t i = 0; i < key_count; i++) {
        free(keys[i].key);
        free(keys[i].value);
    }
    key_count = 0;
    forget_hits();
}

/* ---- using it ---- */

struct use {
    enum composite_half half;
    const char *text;
    char name[200];
    bool is_refused, has_failed, is_other, remembers;
    char failure[1100];
    struct stopwatch took;
};

static void complain(const struct use *use, const char *what, const char *detail) {
    fail_msg("%s: %s: %s", use->name, what, detail);
}

/* A failure must say what is wrong, where, and in which half. */
static void check_error(struct use *use, shf_status status, const shf_error *error, bool is_open) {
    const char *message = shf_error_message(error), *object = shf_error_object(error);
    bool says_keys = strstr(message, "keys: ") != NULL, says_vectors = strstr(message, "vectors: ") != NULL;
    bool says_half = use->half == COMPOSITE_BOTH   ? says_keys != says_vectors
                     : use->half == COMPOSITE_KEYS ? says_keys
                                                   : says_vectors;
    bool is_known = status == SHF_E_CORRUPT || status == SHF_E_INDEX || status == SHF_E_LIMIT ||
                    status == SHF_E_UNSUPPORTED || status == SHF_E_NOT_FOUND || status == SHF_E_NO_MEMORY ||
                    (status == SHF_E_INVALID && strstr(message, "memory_budget_bytes"));
    if (!is_known) complain(use, "status", message);
    if (strlen(message) < 20 || strlen(message) > 1023 || strchr(message, '\n')) complain(use, "message", message);
    if (is_open && !says_half) complain(use, "it does not say which half", message);
    if (!strstr(message, is_open ? "shard 0" : WRAP_SHARD)) complain(use, "it does not say where", message);
    if (!object || !strstr(object, WRAP_SHARD)) complain(use, "it names no object", object ? object : "NULL");
    (void)snprintf(use->failure, sizeof use->failure, "%s", message);
}

static void differs(struct use *use, const char *what, const char *detail) {
    use->is_other = true;
    (void)snprintf(use->failure, sizeof use->failure, "%s: %s", what, detail);
}

static void look_up(struct use *use, shf_reader *reader, const struct key *key) {
    shf_op *op = NULL;
    shf_key wanted = shf_key_from_bytes(key->key, key->key_size);
    struct stopwatch watch = stopwatch_start();
    shf_status status = shf_get_sync(reader, &wanted, NULL, 0, &op);
    stopwatch_add(&use->took, &watch);
    if (status) {
        check_error(use, status, shf_op_error(op), false);
        use->has_failed = true;
    } else {
        shf_value got;
        char text[80];
        SHF_INIT(&got);
        (void)snprintf(text, sizeof text, "%.*s", (int)key->key_size, (const char *)key->key);
        assert_int_equal(shf_op_value(op, 0, &got), SHF_OK);
        if ((got.status == SHF_OK) != (key->value != NULL)) {
            differs(use, key->value ? "not found, but is there" : "found, but is not there", text);
        } else if (key->value &&
                   (got.data.size != key->value_size || memcmp(got.data.data, key->value, got.data.size) != 0)) {
            differs(use, "another value", text);
        }
    }
    shf_op_release(op);
}

static char *text_of(const shf_slice *slice) {
    return slice->data ? support_path("%.*s", (int)slice->size, (const char *)slice->data) : strdup("null");
}

static void take_hits(struct use *use, shf_op *op) {
    size_t count = shf_op_hit_count(op, 0);
    assert_true(count <= MOST_HITS);
    if (use->remembers) forget_hits();
    if (!use->remembers && count != hit_count) differs(use, "another number of hits", "");
    for (size_t i = 0; i < count && !use->is_other; i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        assert_int_equal(shf_op_hit(op, 0, i, &hit), SHF_OK);
        char *id = text_of(&hit.id.text), *payload = text_of(&hit.payload);
        if (use->remembers) {
            hits[hit_count++] = (struct remembered_hit){hit.score, id, payload};
            continue;
        }
        if (hit.score != hits[i].score) differs(use, "another distance", id);
        if (strcmp(id, hits[i].id) != 0 || strcmp(payload, hits[i].payload) != 0) differs(use, "another hit", id);
        free(id);
        free(payload);
    }
}

static void search(struct use *use, shf_reader *reader, const char *like) {
    float vector[1024];
    shf_vector_id id = {.kind = SHF_ID_TEXT, .text = {like, like ? strlen(like) : 0}};
    shf_query query;
    shf_op *op = NULL;
    assert_in_range(dimension, 1, 1024);
    for (int i = 0; i < dimension; i++) vector[i] = 0.25f + 0.5f * (float)i;
    SHF_INIT(&query);
    query.vector = like ? NULL : vector;
    query.like = like ? &id : NULL;
    query.dimension = (uint32_t)dimension;
    query.top_k = MOST_HITS;
    struct stopwatch watch = stopwatch_start();
    shf_status status = shf_search_sync(reader, &query, 0, &op);
    stopwatch_add(&use->took, &watch);
    bool is_gone = like && status == SHF_E_INVALID && strstr(shf_error_message(shf_op_error(op)), "no stored vector");
    if (is_gone) {
        differs(use, "an id is gone", like);
    } else if (status) {
        check_error(use, status, shf_op_error(op), false);
        use->has_failed = true;
    } else if (!like) {
        take_hits(use, op);
    }
    shf_op_release(op);
}

/* By place: the last of all rows, wherever a damaged dataset has it. */
static void search_place(struct use *use, shf_reader *reader) {
    static const shf_vector_place place = {.row = 2};
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.like_place = &place;
    query.top_k = MOST_HITS;
    struct stopwatch watch = stopwatch_start();
    shf_status status = shf_search_sync(reader, &query, 0, &op);
    stopwatch_add(&use->took, &watch);
    bool is_gone = status == SHF_E_INVALID && strstr(shf_error_message(shf_op_error(op)), "`like_place`");
    if (status && !is_gone) {
        check_error(use, status, shf_op_error(op), false);
        use->has_failed = true;
    }
    shf_op_release(op);
}

static void use_once(struct use *use) {
    shf_reader_options options;
    shf_reader *reader = NULL;
    shf_op *op = NULL;
    use->is_refused = use->has_failed = use->is_other = false;
    use->took = (struct stopwatch){0};
    SHF_INIT(&options);
    options.url = snapshot;
    options.local_root = cache;
    struct stopwatch watch = stopwatch_start();
    shf_status status = shf_open_sync(support_runtime, &options, 0, &op);
    stopwatch_add(&use->took, &watch);
    if (status) {
        check_error(use, status, shf_op_error(op), true);
        use->is_refused = true;
    } else {
        assert_int_equal(shf_op_take_reader(op, &reader), SHF_OK);
    }
    shf_op_release(op);
    if (!reader) return;
    for (size_t i = 0; i < key_count; i++) look_up(use, reader, &keys[i]);
    search(use, reader, NULL);
    if (hit_count && !use->has_failed) search(use, reader, hits[hit_count - 1].id);
    search_place(use, reader);
    watch = stopwatch_start();
    support_close(reader);
    stopwatch_add(&use->took, &watch);
}

static void check_given_back(const struct use *use) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    if (stats.budget_used_bytes) complain(use, "bytes of the budget are not given back", "");
    if (stats.mapped_bytes) complain(use, "a file stays mapped", "");
    if (stats.inflight_ops) complain(use, "an operation stays", "");
}

/* ---- attacks ---- */

void composite_change(const char *name, const void *data, size_t size) {
    assert_true(change_count < MOST_CHANGES);
    changes[change_count] = (struct object){strdup(name), data ? copy_of(data, size) : NULL, size};
    write_object(&changes[change_count++]);
}

static void undo_changes(void) {
    while (change_count > 0) {
        struct object *change = &changes[--change_count];
        const struct object *sound = find(change->name);
        struct object gone = {change->name, NULL, 0};
        write_object(sound ? sound : &gone);
        free_object(change);
    }
}

static void count(const struct use *use, uint64_t peak) {
    counted.tried++;
    counted.refused += use->is_refused;
    counted.failed_later += !use->is_refused && use->has_failed;
    counted.answered += !use->is_refused && !use->has_failed;
    if (use->took.wall_ms > counted.slowest_ms) {
        counted.slowest_ms = use->took.wall_ms;
        (void)snprintf(counted.slowest, sizeof counted.slowest, "%s", use->name);
    }
    if (peak > counted.peak_bytes) {
        counted.peak_bytes = peak;
        (void)snprintf(counted.peak, sizeof counted.peak, "%s", use->name);
    }
}

static void measure(struct use *use) {
    double most_ms = HOSTILE_MAX_MS * (double)allowed_times;
    uint64_t before = hostile_forget_peak();
    struct stopwatch best = {1e9, 1e9};
    bool is_hopeless = false;
    for (int i = 0; i < HOSTILE_TRIES && best.wall_ms > most_ms && !is_hopeless; i++) {
        use_once(use);
        stopwatch_keep_best(&best, &use->took);
        is_hopeless = use->took.cpu_ms > 20 * most_ms;
    }
    use->took = best;
    uint64_t peak = hostile_peak_since(before);
    count(use, peak);
    best.wall_ms /= allowed_times;
    best.cpu_ms /= allowed_times;
    if (stopwatch_is_too_long(&best)) complain(use, "too slow", counted.slowest);
    if (!HOSTILE_SLOWED && peak > HOSTILE_PEAK_BYTES) complain(use, "too much memory", counted.peak);
    check_given_back(use);
}

static void judge(const struct use *use, enum composite_wish wish) {
    bool fails = use->is_refused || use->has_failed;
    if (wish == COMPOSITE_FAILS && !fails) complain(use, "taken", use->failure);
    if (wish == COMPOSITE_ANSWERS && fails) complain(use, "refused", use->failure);
    if (wish != COMPOSITE_ANYTHING && use->is_other) complain(use, "a wrong answer", use->failure);
    if (fails && use->text && !strstr(use->failure, use->text)) complain(use, "it does not say what", use->failure);
}

static void try_it(enum composite_half half, enum composite_wish wish, const char *text, const char *name,
                   va_list arguments) {
    struct use use = {.half = half, .text = text};
    (void)vsnprintf(use.name, sizeof use.name, name, arguments);
    if (getenv("SHF_HOSTILE_VERBOSE")) print_message("%s\n", use.name);
    if (counted.tried % TRIES_OF_A_CACHE == 0) support_remove_tree(cache); /* it is looked through at every open */
    measure(&use);
    if (getenv("SHF_HOSTILE_VERBOSE")) print_message("    %s\n", use.failure);
    undo_changes();
    judge(&use, wish);
}

void composite_try(enum composite_half half, enum composite_wish wish, const char *text, const char *name, ...) {
    va_list arguments;
    va_start(arguments, name);
    try_it(half, wish, text, name, arguments);
    va_end(arguments);
}

void composite_try_one(enum composite_half half, enum composite_wish wish, const char *text, const char *object,
                       const void *data, size_t size, const char *name, ...) {
    va_list arguments;
    composite_change(object, data, size);
    va_start(arguments, name);
    try_it(half, wish, text, name, arguments);
    va_end(arguments);
}

/* Straight on the disk, as they are too many to be remembered. */
void composite_try_among_strangers(enum composite_half half, const char *directory) {
    enum { STRANGERS = 20000, TWICE = 2 };
    for (int round = 0; round < TWICE; round++) {
        for (unsigned i = 0; i < STRANGERS; i++) {
            char *path = support_path("%s/" WRAP_SHARD "/%s%s%019u%s", snapshot, directory, i % 2 ? "1" : "x", i,
                                      i % 2 ? ".other" : ".manifest");
            if (round == 0) support_write_file(path, "", 0);
            if (round == 1) (void)remove(path);
            free(path);
        }
        composite_allow_times(10); /* of some each is looked at for its version */
        if (round == 0) composite_try(half, COMPOSITE_ANSWERS, NULL, "20,000 strangers in %s", directory);
        composite_allow_times(1);
    }
}

void composite_is_sound(const char *name) {
    struct use use = {.half = COMPOSITE_KEYS, .remembers = true};
    (void)snprintf(use.name, sizeof use.name, "%s", name);
    use_once(&use);
    judge(&use, COMPOSITE_ANSWERS);
    assert_true(hit_count > 0 && key_count > 0);
    use.remembers = false;
    use_once(&use); /* from the cache */
    judge(&use, COMPOSITE_ANSWERS);
    check_given_back(&use);
}

void composite_count(const char *what) {
    print_message("%s: %u tried, %u refused at once, %u later, %u answered; slowest %.1f ms (%s), most memory %" PRIu64
                  " KiB (%s)\n",
                  what, counted.tried, counted.refused, counted.failed_later, counted.answered, counted.slowest_ms,
                  counted.slowest, counted.peak_bytes >> 10, counted.peak);
    tried_of_all += counted.tried;
    memset(&counted, 0, sizeof counted);
}

/* ---- the group ---- */

static size_t allocated(void) {
    struct mallinfo2 facts = mallinfo2();
    return facts.uordblks + facts.hblkhd;
}

int composite_begin(int vectors_of) {
    shf_runtime_options options;
    if (access("/dev/shm", W_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 0); /* thousands of files are synced */
    dimension = vectors_of;
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    char *custom = wrap_composite("slatedb", dimension, "dot_product");
    snapshot = wrap_snapshot(root, custom);
    free(custom);
    SHF_INIT(&options);
    options.memory_budget_bytes = COMPOSITE_BUDGET_BYTES;
    if (shf_runtime_new(&options, &support_runtime) || shf_cq_new(support_runtime, 0, &support_cq)) return -1;
    allocated_before = allocated();
    return 0;
}

int composite_end(void) {
    void *no_state = NULL;
    composite_clear();
    size_t after = allocated();
    uint64_t kept = after > allocated_before ? after - allocated_before : 0;
    print_message("%u databases in all; %" PRIu64 " KiB more are allocated than before\n", tried_of_all, kept >> 10);
    int held = support_tear_down(&no_state);
    if (kept > HOSTILE_KEPT_BYTES) held = -1;
    support_remove_tree(root);
    free(root);
    free(snapshot);
    free(cache);
    return held;
}
