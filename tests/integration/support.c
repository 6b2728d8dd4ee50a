#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

shf_runtime *support_runtime;
shf_cq *support_cq;
char support_message[1024];

char *support_path(const char *format, ...) {
    char *path = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&path, format, arguments);
    va_end(arguments);
    assert_true(size >= 0);
    return path;
}

char *support_temporary_directory(void) {
    const char *base = getenv("TMPDIR");
    char *path = support_path("%s/shf-test-XXXXXX", base && *base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static int is_dot(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

void support_remove_tree(const char *path) {
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)) != NULL) {
        if (is_dot(entry->d_name)) continue;
        char *inner = support_path("%s/%s", path, entry->d_name);
        if (unlink(inner) != 0) support_remove_tree(inner);
        free(inner);
    }
    if (directory) (void)closedir(directory);
    (void)rmdir(path);
}

char *support_read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    struct stat facts;
    assert_int_equal(fstat(fileno(file), &facts), 0);
    char *data = malloc((size_t)facts.st_size + 1);
    *size = fread(data, 1, (size_t)facts.st_size, file);
    assert_int_equal(*size, facts.st_size);
    data[*size] = '\0';
    (void)fclose(file);
    return data;
}

void support_write_file(const char *path, const void *data, size_t size) {
    char *temporary = support_path("%s.new", path);
    FILE *file = fopen(temporary, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, path), 0);
    free(temporary);
}

void support_write_npy(const char *path, const float *rows, size_t count, size_t dimension) {
    size_t bytes = count * dimension * sizeof *rows;
    char *file = malloc(128 + bytes), text[112], header[120];
    (void)snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", count,
                   dimension);
    (void)snprintf(header, sizeof header, "%-117s\n", text);
    memcpy(file, "\x93NUMPY\x01\0\x76\0", 10);
    memcpy(file + 10, header, 118);
    memcpy(file + 128, rows, bytes); /* the machines of the tests are little-endian */
    support_write_file(path, file, 128 + bytes);
    free(file);
}

void support_copy_tree(const char *from, const char *to) {
    DIR *directory = opendir(from);
    struct dirent *entry;
    assert_non_null(directory);
    (void)mkdir(to, 0755);
    while ((entry = readdir(directory)) != NULL) {
        if (is_dot(entry->d_name)) continue;
        char *source = support_path("%s/%s", from, entry->d_name), *target = support_path("%s/%s", to, entry->d_name);
        struct stat facts;
        assert_int_equal(stat(source, &facts), 0);
        if (S_ISDIR(facts.st_mode)) {
            support_copy_tree(source, target);
        } else {
            size_t size;
            char *data = support_read_file(source, &size);
            support_write_file(target, data, size);
            free(data);
        }
        free(source);
        free(target);
    }
    (void)closedir(directory);
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static char *find(const char *directory, const char *name, int *nth) {
    struct dirent **entries;
    char *found = NULL;
    int count = scandir(directory, &entries, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char *inner = support_path("%s/%s", directory, entries[i]->d_name);
        if (!found && !is_dot(entries[i]->d_name)) {
            if (strcmp(entries[i]->d_name, name) == 0 && (*nth)-- == 0) {
                found = strdup(inner);
            } else if (entries[i]->d_type == DT_DIR) {
                found = find(inner, name, nth);
            }
        }
        free(inner);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return found;
}

char *support_find_file(const char *directory, const char *name, int nth) {
    char *found = find(directory, name, &nth);
    assert_non_null(found);
    return found;
}

char *support_fixture(const char *kind, const char *name) {
    const char *shared = getenv("SHF_SHARED");
    char *path = support_path("%s/fixtures/%s/%s", shared && *shared ? shared : "../shared", kind, name);
    if (access(path, R_OK) == 0) return path;
    print_message("SKIP: no fixture at %s (set SHF_SHARED)\n", path);
    free(path);
    return NULL;
}

char *support_peer_case(const char *name) { return support_fixture("peer", name); }

json_t *support_lines(const char *directory, const char *name) {
    char *path = support_path("%s/%s", directory, name);
    FILE *file = fopen(path, "r");
    json_t *rows = json_array(), *row;
    json_error_t error;
    assert_non_null(file);
    while ((row = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error)) != NULL) (void)json_array_append_new(rows, row);
    (void)fclose(file);
    free(path);
    return rows;
}

unsigned char *support_base64(const char *text, size_t *size) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char *out = malloc(strlen(text) + 1);
    unsigned bits = 0;
    int count = 0;
    *size = 0;
    for (; *text && *text != '='; text++) {
        bits = bits << 6 | (unsigned)(strchr(alphabet, *text) - alphabet);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out[(*size)++] = (unsigned char)(bits >> count);
    }
    return out;
}

int support_set_up(void **state) {
    (void)state;
    if (shf_runtime_new(NULL, &support_runtime)) return -1;
    return shf_cq_new(support_runtime, 0, &support_cq);
}

int support_tear_down(void **state) {
    (void)state;
    shf_runtime_stats stats;
    int held = 0;
    for (int wait_ms = 0; wait_ms < 5000; wait_ms++) { /* the opening of a shard that nobody waits for any more ends soon */
        SHF_INIT(&stats);
        held = shf_runtime_stats_get(support_runtime, &stats);
        if (held || !(stats.inflight_ops || stats.budget_used_bytes || stats.mapped_bytes)) break;
        (void)usleep(1000);
    }
    if (stats.inflight_ops || stats.budget_used_bytes || stats.mapped_bytes) {
        print_message("still held: %u operations, %llu bytes of the budget, %llu mapped bytes\n", stats.inflight_ops,
                      (unsigned long long)stats.budget_used_bytes, (unsigned long long)stats.mapped_bytes);
        held = -1;
    }
    if (shf_cq_free(support_cq) || shf_runtime_free(support_runtime)) held = -1;
    return held;
}

shf_call support_call(void) {
    shf_call call;
    SHF_INIT(&call);
    call.cq = support_cq;
    return call;
}

shf_op *support_wait(shf_status submitted, shf_op_id id) {
    shf_op *op = NULL;
    assert_int_equal(submitted, SHF_OK);
    assert_int_equal(shf_await(support_cq, id, 60000, &op), SHF_OK);
    return op;
}

shf_reader *support_open(const char *url, const char *cache, uint32_t flags, shf_status *status) {
    shf_reader_options options;
    shf_call call = support_call();
    shf_reader *reader = NULL;
    shf_op_id id = 0;
    SHF_INIT(&options);
    options.url = url;
    options.local_root = cache;
    options.flags = flags;
    shf_status submitted = shf_open(support_runtime, &options, &call, &id);
    shf_op *op = support_wait(submitted, id);
    *status = shf_op_status(op);
    support_message[0] = '\0';
    if (*status) {
        (void)snprintf(support_message, sizeof support_message, "%s", shf_error_message(shf_op_error(op)));
    } else {
        assert_int_equal(shf_op_take_reader(op, &reader), SHF_OK);
    }
    shf_op_release(op);
    return reader;
}

void support_close(shf_reader *reader) {
    shf_call call = support_call();
    shf_op_id id = 0;
    shf_status submitted = shf_close(reader, SHF_CLOSE_DRAIN, &call, &id);
    shf_op *op = support_wait(submitted, id);
    assert_int_equal(shf_op_status(op), SHF_OK);
    shf_op_release(op);
    shf_reader_release(reader);
}
