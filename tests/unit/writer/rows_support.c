#include "rows_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_WAIT_S 120
#define MOST_KEY 64u
#define BATCH 17u

/* A linear congruential generator, its high bits spread over the low ones. */
uint64_t rows_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t bits = (*state ^ *state >> 31) * UINT64_C(0xd6e8feb86659fd93);
    bits = (bits ^ bits >> 29) * UINT64_C(0xd6e8feb86659fd93);
    return bits ^ bits >> 32;
}

/* The key of a kind: few different bytes, so that prefixes are equal, and zeros at the end; the empty one too. */
static uint32_t make_key(const struct rows_shape *shape, uint64_t kind, uint8_t *out) {
    uint32_t size = 0;
    if (kind == 0 && shape->prefix_bytes == 0) return 0;
    for (; size < shape->prefix_bytes; size++) out[size] = (uint8_t)('a' + size % 7);
    uint64_t state = shape->seed + kind * 77 + 1;
    uint64_t bits = rows_random(&state);
    if (shape->prefix_bytes % 2) { /* a number in its text form: keys of one size */
        return size + (uint32_t)sprintf((char *)out + size, "%08u", (unsigned)kind);
    }
    uint32_t zeros = (uint32_t)(kind % 3 * 8 + kind % 5);
    for (uint32_t i = 0; i < zeros; i++) out[size++] = 0;
    for (uint32_t i = 0; i < 3; i++) out[size++] = (uint8_t)(bits >> (8 * i));
    for (uint32_t i = 0; i < bits >> 62; i++) out[size++] = 0;
    return size;
}

static uint64_t hash_of(const uint8_t *bytes, uint32_t size) {
    uint64_t hash = UINT64_C(1469598103934665603);
    for (uint32_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 29;
}

static uint64_t kind_of(const struct rows_shape *shape, size_t number) {
    uint64_t state = shape->seed * 31 + number;
    return rows_random(&state) % shape->key_kinds;
}

void rows_make(const struct rows_shape *shape, size_t number, struct shf_rows_row *out, uint8_t **bytes, size_t *size) {
    uint64_t state = shape->seed ^ (number + 1) * 1000003;
    uint32_t value_size = shape->most_value ? (uint32_t)(rows_random(&state) % (shape->most_value + 1)) : 0;
    if (shape->huge_every && number % shape->huge_every == shape->huge_every - 1) value_size = shape->huge_value;
    size_t need = shape->dimension * 4 + shape->prefix_bytes + MOST_KEY + value_size + 64;
    if (need > *size) {
        free(*bytes);
        *bytes = malloc(need);
        assert_non_null(*bytes);
        *size = need;
    }
    uint8_t *at = *bytes;
    for (uint32_t i = 0; i < shape->dimension * 4; i++) *at++ = (uint8_t)(number * 13 + i);
    *out = (struct shf_rows_row){.origin = number, .vector = shape->dimension ? *bytes : NULL, .key = at};
    out->key_size = make_key(shape, kind_of(shape, number), at);
    out->hash = hash_of(at, out->key_size);
    at += out->key_size;
    out->value = at;
    out->value_size = value_size;
    memset(at, (int)(number * 7 + 3), value_size);
    at += value_size;
    out->id_is_key = shape->dimension == 0 || number % 3 == 0;
    if (shape->dimension == 0) return;
    if (number % 3 == 1) out->id_integer = -(int64_t)number;
    out->id_is_text = number % 3 == 2;
    if (out->id_is_text) {
        out->id_text = (char *)at;
        out->id_text_size = (uint32_t)sprintf((char *)at, "id %zu", number);
        at += out->id_text_size;
    }
    if (number % 4 == 0) return;
    out->payload = (char *)at;
    out->payload_size = number % 4 == 1 ? 0 : (uint32_t)sprintf((char *)at, "{\"n\": %zu}", number);
}

static void expect_bytes(const void *a, size_t a_size, const void *b, size_t b_size) {
    assert_int_equal(a_size, b_size);
    if (a_size) assert_memory_equal(a, b, a_size);
}

void rows_expect(const struct rows_shape *shape, size_t number, const struct shf_rows_row *row) {
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct shf_rows_row made;
    rows_make(shape, number, &made, &bytes, &size);
    assert_int_equal(row->origin, number);
    assert_int_equal(row->hash, made.hash);
    expect_bytes(row->key, row->key_size, made.key, made.key_size);
    expect_bytes(row->value, row->value_size, made.value, made.value_size);
    assert_int_equal(row->id_is_key, made.id_is_key);
    assert_int_equal(row->id_is_text, made.id_is_text);
    assert_int_equal(row->id_integer, made.id_integer);
    expect_bytes(row->id_text, row->id_text_size, made.id_text, made.id_text_size);
    assert_int_equal(row->payload != NULL, made.payload != NULL);
    expect_bytes(row->payload, row->payload_size, made.payload, made.payload_size);
    if (shape->dimension) {
        assert_int_equal((uintptr_t)row->vector % sizeof(float), 0);
        assert_memory_equal(row->vector, made.vector, shape->dimension * 4);
    }
    free(bytes);
}

/* ---- waiting ---- */

static void wait_for(sem_t *semaphore) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LONGEST_WAIT_S;
    while (sem_timedwait(semaphore, &until) != 0) {
        if (errno != EINTR) fail_msg("waited for %d s", LONGEST_WAIT_S);
    }
}

static void room(void *context) {
    struct rows_run_of_test *t = context;
    for (uint32_t i = 0; i < t->c->threads; i++) (void)sem_post(&t->room); /* everybody looks again */
}

static void done(void *context, shf_status status, struct shf_error *error) {
    struct rows_run_of_test *t = context;
    t->status = status;
    t->error = error;
    (void)sem_post(&t->done);
}

static void stopped(void *context) { (void)sem_post(&((struct rows_run_of_test *)context)->stopped); }

static void place(const void *context, const float *const *vectors, size_t count, uint32_t *shards) {
    const struct rows_case *c = context;
    assert_in_range(count, 1, SHF_ROWS_PLACE_BATCH);
    for (size_t i = 0; i < count; i++) shards[i] = (uint32_t)(hash_of((const uint8_t *)vectors[i], 4) % c->num_dbs);
}

static uint32_t shard_of(const struct rows_case *c, const struct shf_rows_row *row) {
    uint32_t shard = (uint32_t)(row->hash % c->num_dbs);
    const float *vector = row->vector;
    if (c->by_vector) place(c, &vector, 1, &shard);
    return shard;
}

shf_status rows_begin(struct rows_run_of_test *t, const struct rows_case *c, shf_runtime *runtime, int scratch_fd) {
    *t = (struct rows_run_of_test){.c = c, .runtime = runtime, .scratch_fd = scratch_fd};
    (void)sem_init(&t->room, 0, 0);
    (void)sem_init(&t->done, 0, 0);
    (void)sem_init(&t->stopped, 0, 0);
    const struct shf_rows_options options = {.runtime = runtime,
                                             .memory_bytes = c->memory_bytes,
                                             .num_dbs = c->late ? 0 : c->num_dbs,
                                             .dimension = c->shape.dimension,
                                             .last_wins = c->last_wins,
                                             .place = c->by_vector ? place : NULL,
                                             .place_context = c,
                                             .scratch_fd = scratch_fd,
                                             .scratch_name = "the scratch directory",
                                             .max_runs = c->max_runs,
                                             .room = room,
                                             .context = t};
    return shf_rows_new(&options, &t->rows, &t->error);
}

struct adder {
    struct rows_run_of_test *t;
    shf_status status;
    struct shf_error *error;
};

static shf_status add_batch(struct rows_run_of_test *t, const struct shf_rows_row *rows, size_t count,
                            struct shf_error **error) {
    size_t before = 0;
    for (;;) {
        size_t added = 0;
        shf_status status = shf_rows_add(t->rows, rows + before, count - before, &added, error);
        assert_int_equal(*error != NULL, status != SHF_OK);
        before += added;
        if (status != SHF_E_BUSY) {
            assert_true(status || before == count);
            return status;
        }
        assert_int_equal(shf_error_code(*error), SHF_E_BUSY);
        shf_error_free(*error);
        *error = NULL;
        wait_for(&t->room);
    }
}

static void *add_rows(void *argument) {
    struct adder *adder = argument;
    struct rows_run_of_test *t = adder->t;
    struct shf_rows_row rows[BATCH];
    uint8_t *bytes[BATCH] = {NULL};
    size_t sizes[BATCH] = {0};
    while (!adder->status) {
        size_t first = atomic_fetch_add(&t->next, BATCH), count = 0;
        for (; count < BATCH && first + count < t->c->shape.count; count++) {
            rows_make(&t->c->shape, first + count, &rows[count], &bytes[count], &sizes[count]);
        }
        if (count == 0) break;
        adder->status = add_batch(t, rows, count, &adder->error);
    }
    for (size_t i = 0; i < BATCH; i++) free(bytes[i]);
    return NULL;
}

#define MOST_THREADS 8

shf_status rows_add_all(struct rows_run_of_test *t) {
    struct adder adders[MOST_THREADS];
    pthread_t threads[MOST_THREADS];
    assert_in_range(t->c->threads, 1, MOST_THREADS);
    for (uint32_t i = 0; i < t->c->threads; i++) adders[i] = (struct adder){.t = t};
    for (uint32_t i = 1; i < t->c->threads; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_rows, &adders[i]), 0);
    }
    add_rows(&adders[0]);
    for (uint32_t i = 1; i < t->c->threads; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    shf_status status = SHF_OK;
    for (uint32_t i = 0; i < t->c->threads; i++) {
        if (!status && adders[i].status) {
            status = adders[i].status;
            t->error = adders[i].error;
        } else {
            shf_error_free(adders[i].error);
        }
    }
    return status;
}

shf_status rows_finish(struct rows_run_of_test *t, const struct shf_cancel *cancel) {
    shf_rows_finish(t->rows, t->c->late ? t->c->num_dbs : 0, cancel, done);
    wait_for(&t->done);
    assert_int_equal(t->error != NULL, t->status != SHF_OK);
    return t->status;
}

void rows_end(struct rows_run_of_test *t) {
    if (t->rows) {
        shf_rows_stop(t->rows, stopped);
        wait_for(&t->stopped);
        shf_rows_free(t->rows);
    }
    shf_error_free(t->error);
    (void)sem_destroy(&t->room);
    (void)sem_destroy(&t->done);
    (void)sem_destroy(&t->stopped);
}

/* ---- what must come out ---- */

struct model_row {
    uint8_t key[MOST_KEY + 64];
    uint32_t key_size, shard, value_size;
    size_t number;
};

static int compare(const void *left, const void *right) {
    const struct model_row *a = left, *b = right;
    if (a->shard != b->shard) return a->shard < b->shard ? -1 : 1;
    uint32_t shorter = a->key_size < b->key_size ? a->key_size : b->key_size;
    int order = memcmp(a->key, b->key, shorter);
    if (order) return order;
    if (a->key_size != b->key_size) return a->key_size < b->key_size ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

struct checker {
    struct rows_run_of_test *t;
    const struct model_row *model;
    atomic_uint *next_shard;
    shf_status status;
    struct shf_error *error;
};

static bool same_key(const struct model_row *a, const struct model_row *b) {
    return a->shard == b->shard && a->key_size == b->key_size && memcmp(a->key, b->key, a->key_size) == 0;
}

/* With several threads that add, which row is the last is not known: any of those with the key. */
static void expect_one_of(const struct rows_run_of_test *t, const struct model_row *from, const struct model_row *to,
                          const struct shf_rows_row *row) {
    if (t->c->threads == 1) {
        rows_expect(&t->c->shape, (to - 1)->number, row);
        return;
    }
    while (from != to && from->number != row->origin) from++;
    assert_true(from != to);
    rows_expect(&t->c->shape, from->number, row);
}

static void expect_conflict(const struct rows_run_of_test *t, const struct shf_rows_merge *merge,
                            const struct model_row *from, const struct model_row *to) {
    uint64_t first, second;
    shf_rows_merge_conflict(merge, &first, &second);
    if (t->c->threads == 1) {
        assert_int_equal(first, from[0].number);
        assert_int_equal(second, from[1].number);
    }
    unsigned found = 0;
    for (; from != to; from++) found += from->number == first || from->number == second;
    assert_int_equal(found, 2);
    assert_int_not_equal(first, second);
}

static shf_status check_shard(struct checker *checker, uint32_t shard, const struct model_row *at,
                              const struct model_row *end) {
    struct rows_run_of_test *t = checker->t;
    struct shf_rows_merge *merge = NULL;
    struct shf_rows_shard sums;
    uint64_t replaced = 0, expected_replaced = 0;
    bool is_done = false;
    shf_rows_shard_get(t->rows, shard, &sums);
    assert_int_equal(sums.rows, end - at);
    for (unsigned i = 0; i < SHF_ROWS_PAGE_SIZES; i++) {
        uint64_t fitting = 0, most = ((4096u << i) - 12) * UINT64_C(64) / 255 - 23;
        for (const struct model_row *row = at; row != end; row++) {
            uint64_t header = 1 + (row->key_size < 58 ? 1u : 2u);
            header += row->value_size < 58 ? 1u : row->value_size < 8186 ? 2u : row->value_size < 1048570 ? 3u : 4u;
            fitting += header + row->key_size + row->value_size <= most;
        }
        assert_int_equal(sums.fitting[i], fitting);
    }
    shf_status status = shf_rows_merge_new(t->rows, shard, &merge, &checker->error);
    if (status) return status;
    while (!is_done) {
        struct shf_rows_row row;
        const struct model_row *next = at;
        while (next != end && same_key(at, next)) next++;
        status = shf_rows_merge_next(merge, &row, &is_done, &replaced, &checker->error);
        if (status == SHF_E_INVALID && !t->c->last_wins && next - at > 1) {
            expect_conflict(t, merge, at, next);
            shf_error_free(checker->error);
            checker->error = NULL;
            break;
        }
        assert_int_equal(status, SHF_OK);
        assert_int_equal(is_done, at == end);
        if (is_done) break;
        assert_true(next - at == 1 || t->c->last_wins);
        expect_one_of(t, at, next, &row);
        expected_replaced += (uint64_t)(next - at - 1);
        at = next;
    }
    assert_int_equal(replaced, expected_replaced);
    shf_rows_merge_free(merge);
    return SHF_OK;
}

static void *check_shards(void *argument) {
    struct checker *checker = argument;
    struct rows_run_of_test *t = checker->t;
    const struct model_row *end = checker->model + t->c->shape.count;
    while (!checker->status) {
        uint32_t shard = atomic_fetch_add(checker->next_shard, 1);
        if (shard >= t->c->num_dbs) break;
        const struct model_row *from = checker->model;
        while (from != end && from->shard < shard) from++;
        const struct model_row *to = from;
        while (to != end && to->shard == shard) to++;
        checker->status = check_shard(checker, shard, from, to);
    }
    return NULL;
}

shf_status rows_check(struct rows_run_of_test *t) {
    struct model_row *model = malloc((t->c->shape.count + 1) * sizeof *model);
    uint8_t *bytes = NULL;
    size_t size = 0;
    atomic_uint next_shard = 0;
    struct checker checkers[MOST_THREADS];
    pthread_t threads[MOST_THREADS];
    assert_non_null(model);
    for (size_t i = 0; i < t->c->shape.count; i++) {
        struct shf_rows_row row;
        rows_make(&t->c->shape, i, &row, &bytes, &size);
        assert_in_range(row.key_size, 0, sizeof model->key);
        model[i] = (struct model_row){
            .key_size = row.key_size, .number = i, .value_size = row.value_size, .shard = shard_of(t->c, &row)};
        memcpy(model[i].key, row.key, row.key_size);
    }
    free(bytes);
    qsort(model, t->c->shape.count, sizeof *model, compare);
    for (uint32_t i = 0; i < t->c->threads; i++) {
        checkers[i] = (struct checker){.t = t, .model = model, .next_shard = &next_shard};
        if (i > 0) assert_int_equal(pthread_create(&threads[i], NULL, check_shards, &checkers[i]), 0);
    }
    check_shards(&checkers[0]);
    shf_status status = SHF_OK;
    for (uint32_t i = 0; i < t->c->threads; i++) {
        if (i > 0) assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (!status && checkers[i].status) {
            status = checkers[i].status;
            t->error = checkers[i].error;
        } else {
            shf_error_free(checkers[i].error);
        }
    }
    free(model);
    return status;
}

/* ---- surroundings ---- */

shf_runtime *rows_runtime(uint64_t budget_bytes) {
    shf_runtime_options options;
    shf_runtime *runtime = NULL;
    SHF_INIT(&options);
    options.worker_threads = 2;
    options.memory_budget_bytes = budget_bytes;
    assert_int_equal(shf_runtime_new(&options, &runtime), SHF_OK);
    return runtime;
}

uint64_t rows_budget_used(shf_runtime *runtime) { return atomic_load(&shf_rt_budget(runtime)->used_bytes); }

int rows_scratch(char **path) {
    const char *base = getenv("TMPDIR");
    assert_true(asprintf(path, "%s/shf-rows-XXXXXX", base && *base ? base : "/tmp") > 0);
    assert_non_null(mkdtemp(*path));
    int fd = open(*path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

void rows_scratch_end(int fd, char *path) {
    assert_int_equal(close(fd), 0);
    assert_int_equal(rmdir(path), 0); /* only an empty one can be */
    free(path);
}

uint64_t rows_all(const struct rows_case *c) {
    struct rows_run_of_test t;
    char *path;
    int fd = rows_scratch(&path);
    shf_runtime *runtime = rows_runtime(UINT64_C(1) << 30);
    assert_int_equal(rows_begin(&t, c, runtime, fd), SHF_OK);
    assert_int_equal(rows_add_all(&t), SHF_OK);
    assert_int_equal(rows_finish(&t, NULL), SHF_OK);
    assert_int_equal(rows_check(&t), SHF_OK);
    struct shf_rows_totals totals;
    shf_rows_totals_get(t.rows, &totals);
    assert_int_equal(totals.rows, c->shape.count);
    rows_end(&t);
    assert_int_equal(rows_budget_used(runtime), 0);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    rows_scratch_end(fd, path);
    return totals.bytes ? totals.spilled_bytes / totals.bytes : 0;
}
