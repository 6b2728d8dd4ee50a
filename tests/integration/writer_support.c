#include "integration/writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

#define KEY_ROOM 48u
#define PAYLOAD_ROOM 96u

uint64_t writer_mix(uint64_t a, uint64_t b) {
    uint64_t z = a * UINT64_C(0x9e3779b97f4a7c15) + b;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t value_size(const struct writer_shape *shape, size_t number) {
    size_t span = shape->value_most - shape->value_least;
    return shape->value_least + (span ? (size_t)(writer_mix(number, 5) % (span + 1)) : 0);
}

/* Raw keys have zero bytes, and bytes that are no UTF-8. */
static shf_key make_key(enum writer_keys kind, size_t number, char *room) {
    switch (kind) {
    case WRITER_U64: /* of all magnitudes, and each number in the lowest bits */
        if (number == 0) return shf_key_from_int(INT64_MAX);
        return shf_key_from_int((int64_t)(writer_mix(number, 1) >> (21 + number % 43)) << 20 | (int64_t)number);
    case WRITER_U32: return shf_key_from_int(number == 0 ? UINT32_MAX : (int64_t)number * 7);
    case WRITER_TEXT:
        return shf_key_from_text(
            room, (size_t)snprintf(room, KEY_ROOM, number % 3 ? "k-%zu" : "\xe9\x8d\xb5 \"%zu\"", number));
    default: break;
    }
    uint64_t mixed = writer_mix(number, 2);
    room[0] = '\0';
    room[1] = (char)0xff;
    memcpy(room + 2, &mixed, sizeof mixed);
    memcpy(room + 10, &number, sizeof number);
    return shf_key_from_bytes(room, 10 + sizeof number);
}

static void fill_value(char *value, size_t size, uint64_t seed) {
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = writer_mix(seed, i);
        memcpy(value + i, &word, size - i < 8 ? size - i : 8);
    }
}

static char *place(char **at, size_t size) {
    char *placed = *at;
    *at += (size + 7) / 8 * 8;
    return placed;
}

static void make_row(const struct writer_shape *shape, size_t number, shf_row *row, char **at) {
    uint64_t seed = writer_mix(number, 1000 + shape->generation);
    SHF_INIT(row);
    row->key = make_key(shape->keys, number, place(at, KEY_ROOM));
    row->value.size = value_size(shape, number);
    char *value = place(at, row->value.size);
    fill_value(value, row->value.size, seed);
    row->value.data = value;
    row->origin = number + 1;
    if (shape->is_vector_only) {
        memset(&row->key, 0, sizeof row->key);
        row->value = (shf_slice){0};
    }
    if (!shape->dimension) return;
    float *vector = (float *)(void *)place(at, shape->dimension * sizeof(float));
    for (uint32_t i = 0; i < shape->dimension; i++) {
        vector[i] = (float)((double)(writer_mix(seed, 7 * i) >> 40) / (double)(1 << 23) - 1.0);
    }
    row->vector = vector;
    row->dimension = shape->dimension;
    row->id.kind = shape->id_kind;
    if (shape->id_kind == SHF_ID_INT) row->id.int_value = (int64_t)number * 13 - 500;
    char *id = place(at, KEY_ROOM);
    if (shape->id_kind == SHF_ID_TEXT) {
        row->id.text.size = (size_t)snprintf(id, KEY_ROOM, "id \xc3\xa4 %zu", number);
        row->id.text.data = id;
    }
    char *payload = place(at, PAYLOAD_ROOM);
    if (!shape->payload_every || number % shape->payload_every) return;
    row->payload.size = (size_t)snprintf(payload, PAYLOAD_ROOM, "{\"n\": %zu, \"g\": %u, \"s\": \"\xc3\xa4\\u0000\"}",
                                         number, shape->generation);
    row->payload.data = payload;
}

struct writer_rows *writer_rows_new(const struct writer_shape *shape) {
    struct writer_rows *out = calloc(1, sizeof *out);
    size_t total = 8;
    for (size_t i = 0; i < shape->rows; i++) {
        total += 2 * KEY_ROOM + PAYLOAD_ROOM + value_size(shape, i) + shape->dimension * sizeof(float) + 16;
    }
    out->shape = *shape;
    out->rows = calloc(shape->rows + 1, sizeof *out->rows);
    out->memory = malloc(total);
    assert_true(out->rows && out->memory);
    char *at = out->memory;
    for (size_t i = 0; i < shape->rows; i++) make_row(shape, i, &out->rows[i], &at);
    return out;
}

void writer_rows_free(struct writer_rows *rows) {
    if (!rows) return;
    free(rows->rows);
    free(rows->memory);
    free(rows);
}

void writer_rows_shuffle(struct writer_rows *rows, uint64_t seed) {
    for (size_t i = rows->shape.rows; i > 1; i--) {
        size_t other = (size_t)(writer_mix(seed, i) % i);
        shf_row held = rows->rows[i - 1];
        rows->rows[i - 1] = rows->rows[other];
        rows->rows[other] = held;
    }
}

/* ---- the writer ---- */

static void keep_message(const shf_op *op, shf_status status) {
    support_message[0] = '\0';
    if (!status) return;
    (void)snprintf(support_message, sizeof support_message, "%s",
                   op ? shf_error_message(shf_op_error(op)) : shf_status_text(status));
}

shf_writer_options writer_options(const char *url, uint32_t backend, uint32_t num_dbs) {
    shf_writer_options options;
    SHF_INIT(&options);
    options.url = url;
    options.backend = backend;
    options.num_dbs = num_dbs;
    return options;
}

shf_writer *writer_open(const shf_writer_options *options, shf_status *status) {
    shf_op *op = NULL;
    shf_writer *writer = NULL;
    *status = shf_writer_open_sync(support_runtime, options, 0, &op);
    keep_message(op, *status);
    if (!*status) assert_int_equal(shf_op_take_writer(op, &writer), SHF_OK);
    shf_op_release(op);
    return writer;
}

shf_status writer_try(shf_writer *writer, const shf_row *rows, size_t count, shf_write_info *info) {
    shf_op *op = NULL;
    shf_status status = shf_write_sync(writer, rows, count, 0, &op);
    keep_message(op, status);
    if (info) {
        SHF_INIT(info);
        if (op) assert_int_equal(shf_op_write_info(op, info), SHF_OK);
    }
    shf_op_release(op);
    return status;
}

void writer_write(shf_writer *writer, const shf_row *rows, size_t count, size_t batch) {
    for (size_t at = 0; at < count; at += batch) {
        size_t part = count - at < batch ? count - at : batch;
        shf_status status = writer_try(writer, rows + at, part, NULL);
        if (status) print_message("%s\n", support_message);
        assert_int_equal(status, SHF_OK);
    }
}

shf_op *writer_publish(shf_writer *writer, shf_status *status) {
    shf_op *op = NULL;
    *status = shf_publish_sync(writer, 0, &op);
    keep_message(op, *status);
    if (!*status) return op;
    shf_op_release(op);
    return NULL;
}

void writer_close(shf_writer *writer) {
    shf_op *op = NULL;
    assert_int_equal(shf_writer_close_sync(writer, 0, &op), SHF_OK);
    shf_op_release(op);
    shf_writer_release(writer);
}

void writer_make(const shf_writer_options *options, const struct writer_rows *rows, size_t batch) {
    shf_status status;
    shf_writer *writer = writer_open(options, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(writer);
    writer_write(writer, rows->rows, rows->shape.rows, batch);
    shf_op *op = writer_publish(writer, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(op);
    shf_op_release(op);
    writer_close(writer);
}

/* ---- this process, and directories ---- */

static unsigned count_names(const char *path) {
    unsigned count = 0;
    struct dirent *entry;
    DIR *names = opendir(path);
    assert_non_null(names);
    while ((entry = readdir(names)) != NULL) count += entry->d_name[0] != '.';
    (void)closedir(names);
    return count;
}

unsigned writer_fd_count(void) { return count_names("/proc/self/fd") - 1; }
unsigned writer_thread_count(void) { return count_names("/proc/self/task"); }

static void walk(const char *directory, void (*see)(const char *path, const char *name, void *context), void *context) {
    struct dirent *entry;
    DIR *names = opendir(directory);
    while (names && (entry = readdir(names)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char *path = support_path("%s/%s", directory, entry->d_name);
        see(path, entry->d_name, context);
        walk(path, see, context);
        free(path);
    }
    if (names) (void)closedir(names);
}

static void see_leftover(const char *path, const char *name, void *context) {
    bool is_left = strncmp(name, ".shardy-", 8) == 0 && strcmp(name, ".shardy-lock") != 0;
    if (is_left) print_message("left behind: %s\n", path);
    *(unsigned *)context += is_left;
}

void writer_assert_tidy(const char *directory) {
    unsigned left = 0;
    walk(directory, see_leftover, &left);
    assert_int_equal(left, 0);
}

struct count {
    const char *name;
    unsigned count;
};

static void see_name(const char *path, const char *name, void *context) {
    struct count *count = context;
    (void)path;
    count->count += strcmp(name, count->name) == 0;
}

unsigned writer_count_files(const char *directory, const char *name) {
    struct count count = {.name = name};
    walk(directory, see_name, &count);
    return count.count;
}

/* ---- a place of its own for each test ---- */

char *writer_root, *writer_prefix, *writer_cache;

int writer_begin(void **state) {
    writer_root = support_temporary_directory();
    writer_prefix = support_path("%s/snapshots", writer_root);
    writer_cache = support_path("%s/cache", writer_root);
    return support_set_up(state);
}

int writer_end(void **state) {
    int result = support_tear_down(state);
    support_remove_tree(writer_root);
    free(writer_root);
    free(writer_prefix);
    free(writer_cache);
    return result;
}
