#include "integration/s3_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_KEYS 1024
#define SEARCHES 8

struct s3_server s3_server;
struct fault_proxy *s3_proxy;
char *s3_cache;

int64_t s3_now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what the sample must answer ---- */

static shf_runtime *sample_runtime; /* of the reader that has the sample's files before it */
static shf_reader *sample_reader;
static shf_op *sample_values;
static json_t *sample_queries, *sample_answers;
static shf_key sample_keys[MOST_KEYS];
static size_t sample_key_count;

static void add_key(const char *text) {
    for (size_t i = 0; i < sample_key_count; i++) {
        if (strcmp(sample_keys[i].as.bytes.data, text) == 0) return;
    }
    if (sample_key_count < MOST_KEYS) sample_keys[sample_key_count++] = shf_key_from_text(text, strlen(text));
}

static void collect_keys(void) {
    size_t i, j;
    const json_t *answer, *hit;
    json_array_foreach(sample_answers, i, answer) {
        json_array_foreach(json_object_get(answer, "top10"), j, hit)
            add_key(json_string_value(json_object_get(hit, "id")));
    }
    add_key("no-such-package");
}

bool s3_sample_load(void) {
    shf_reader_options options;
    shf_op *op = NULL;
    sample_queries = support_lines("tests/data", "packages-1k-queries.jsonl");
    sample_answers = support_lines("tests/data", "packages-1k-answers.jsonl");
    collect_keys();
    SHF_INIT(&options);
    options.url = S3_SAMPLE;
    bool ok = shf_runtime_new(NULL, &sample_runtime) == SHF_OK &&
              shf_open_sync(sample_runtime, &options, 0, &op) == SHF_OK &&
              shf_op_take_reader(op, &sample_reader) == SHF_OK &&
              shf_multi_get_sync(sample_reader, sample_keys, sample_key_count, NULL, 0, &sample_values) == SHF_OK;
    shf_op_release(op);
    if (!ok) print_message("the sample does not open in place\n");
    return ok && json_array_size(sample_answers) >= SEARCHES;
}

void s3_sample_free(void) {
    shf_op_release(sample_values);
    shf_reader_release(sample_reader);
    /* The release closes the reader on the runtime's own threads. */
    while (sample_runtime && shf_runtime_free(sample_runtime) == SHF_E_BUSY) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    json_decref(sample_queries);
    json_decref(sample_answers);
}

static bool same_value(const shf_op *op, size_t index) {
    shf_value ours, wanted;
    SHF_INIT(&ours);
    SHF_INIT(&wanted);
    return shf_op_value(op, index, &ours) == SHF_OK && shf_op_value(sample_values, index, &wanted) == SHF_OK &&
           ours.status == wanted.status && ours.data.size == wanted.data.size &&
           (ours.data.size == 0 || memcmp(ours.data.data, wanted.data.data, ours.data.size) == 0);
}

static bool values_are_exact(shf_reader *reader) {
    shf_op *op = NULL;
    shf_status status = shf_multi_get_sync(reader, sample_keys, sample_key_count, NULL, 0, &op);
    bool ok = status == SHF_OK && shf_op_value_count(op) == sample_key_count;
    for (size_t i = 0; ok && i < sample_key_count; i++) ok = same_value(op, i);
    if (status) print_message("multi_get: %s\n", shf_error_message(shf_op_error(op)));
    shf_op_release(op);
    if (!ok) print_message("values differ from those of the sample's files\n");
    return ok;
}

static bool hits_are_exact(shf_reader *reader, size_t index) {
    size_t size, i;
    const json_t *hit, *hits = json_object_get(json_array_get(sample_answers, index), "top10");
    const char *text = json_string_value(json_object_get(json_array_get(sample_queries, index), "vector_base64"));
    unsigned char *vector = support_base64(text, &size);
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.vector = (const float *)(const void *)vector;
    query.dimension = (uint32_t)(size / sizeof(float));
    query.top_k = 10;
    bool ok = shf_search_sync(reader, &query, 0, &op) == SHF_OK && shf_op_hit_count(op, 0) == json_array_size(hits);
    json_array_foreach(hits, i, hit) {
        shf_hit ours;
        SHF_INIT(&ours);
        const char *id = json_string_value(json_object_get(hit, "id"));
        ok = ok && shf_op_hit(op, 0, i, &ours) == SHF_OK && ours.id.text.size == strlen(id) &&
             memcmp(ours.id.text.data, id, ours.id.text.size) == 0 &&
             fabs(ours.score - json_number_value(json_object_get(hit, "distance"))) < 1e-9;
    }
    if (op && shf_op_status(op)) print_message("search: %s\n", shf_error_message(shf_op_error(op)));
    shf_op_release(op);
    free(vector);
    if (!ok) print_message("hits of query %zu differ from the recorded ones\n", index);
    return ok;
}

bool s3_sample_is_exact(shf_reader *reader) {
    bool ok = values_are_exact(reader);
    for (size_t i = 0; ok && i < SEARCHES; i++) ok = hits_are_exact(reader, i);
    return ok;
}

/* ---- set-up ---- */

int s3_group_begin(void **state) {
    (void)state;
    s3_server_clean_environment();
    if (!s3_server_start(&s3_server)) return -1;
    s3_proxy = fault_proxy_start(s3_server.port);
    bool ok = s3_proxy && s3_server_make_bucket(&s3_server, S3_BUCKET) &&
              s3_server_put_folder(&s3_server, S3_SAMPLE, S3_BUCKET, "elsewhere/packages") && s3_sample_load();
    return ok ? 0 : -1;
}

int s3_group_end(void **state) {
    (void)state;
    s3_sample_free();
    fault_proxy_stop(s3_proxy);
    s3_server_stop(&s3_server);
    return 0;
}

int s3_begin(void **state) {
    s3_cache = support_temporary_directory();
    fault_proxy_heal(s3_proxy);
    return support_set_up(state);
}

/* What was cancelled gives its buffers back a little after the operation has ended. */
static void wait_for_the_rest(void) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    for (int i = 0; i < 2000; i++) {
        if (shf_runtime_stats_get(support_runtime, &stats) || (!stats.budget_used_bytes && !stats.mapped_bytes)) return;
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

int s3_end(void **state) {
    wait_for_the_rest();
    int held = support_tear_down(state);
    support_remove_tree(s3_cache);
    free(s3_cache);
    s3_cache = NULL;
    return held;
}

/* ---- opening ---- */

shf_s3_options s3_options(const char *endpoint) {
    shf_s3_options s3;
    SHF_INIT(&s3);
    s3.endpoint_url = endpoint;
    s3.region = S3_SERVER_REGION;
    s3.access_key_id = s3_server.access_key_id;
    s3.secret_access_key = s3_server.secret_access_key;
    s3.max_attempts = 2;
    return s3;
}

shf_reader_options s3_reader_options(const char *url, const shf_s3_options *s3, uint32_t flags) {
    shf_reader_options options;
    SHF_INIT(&options);
    options.url = url;
    options.local_root = s3_cache;
    options.flags = flags;
    options.s3 = s3;
    return options;
}

struct s3_opened s3_open(const char *url, const shf_s3_options *s3, uint32_t flags, int64_t timeout_ms) {
    struct s3_opened opened = {.shard = -1};
    shf_reader_options options = s3_reader_options(url, s3, flags);
    shf_op *op = NULL;
    SHF_INIT(&opened.info);
    opened.took_ms = s3_now_ms();
    opened.status = shf_open_sync(support_runtime, &options, timeout_ms, &op);
    opened.took_ms = s3_now_ms() - opened.took_ms;
    if (!op) {
        (void)snprintf(opened.message, sizeof opened.message, "refused: %s", shf_status_text(opened.status));
        return opened;
    }
    const shf_error *error = shf_op_error(op);
    if (opened.status) {
        opened.retryable = shf_error_retryable(error);
        opened.http_status = shf_error_http_status(error);
        opened.shard = shf_error_shard(error);
        (void)snprintf(opened.message, sizeof opened.message, "%s", shf_error_message(error));
        (void)snprintf(opened.object, sizeof opened.object, "%s", shf_error_object(error));
    } else {
        assert_int_equal(shf_op_open_info(op, &opened.info), SHF_OK);
        assert_int_equal(shf_op_take_reader(op, &opened.reader), SHF_OK);
    }
    shf_op_release(op);
    return opened;
}

/* ---- the cache directory ---- */

static bool ends_with(const char *name, const char *end) {
    size_t size = strlen(name), length = strlen(end);
    return size >= length && strcmp(name + size - length, end) == 0;
}

struct s3_cache_files s3_count_cache(const char *directory) {
    struct s3_cache_files files = {0};
    DIR *names = opendir(directory);
    struct dirent *entry;
    while (names && (entry = readdir(names)) != NULL) {
        if (strncmp(entry->d_name, "tmp-", 4) == 0) {
            files.temporaries++;
        } else if (ends_with(entry->d_name, ".shard")) {
            files.shards++;
        } else if (ends_with(entry->d_name, ".record")) {
            files.records++;
        } else if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0) {
            files.others++;
        }
    }
    if (names) (void)closedir(names);
    return files;
}

void s3_assert_no_temporaries(void) {
    int64_t end = s3_now_ms() + 2000;
    while (s3_count_cache(s3_cache).temporaries && s3_now_ms() < end) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_int_equal(s3_count_cache(s3_cache).temporaries, 0);
}
