/*
 * Holds the library against snapshots that the Python project wrote, and what its readers answered (the fixtures'
 * README says how to compare): every key, absent key, query, inspection call, history and fallback, through the
 * asynchronous API.
 *
 *     conformance CASES_DIR BASE_URL PATTERN...     opens BASE_URL/<case>/snapshot
 *
 * Prints a line a failing case, and "N passed, N failed" last.
 */
#include "conformance/conformance.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char problem[1024];

const char *conformance_problem(void) { return problem; }

bool conformance_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return false;
}

json_t *conformance_json(const char *directory, const char *name) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return json_load_file(path, 0, NULL);
}

json_t *conformance_lines(const char *directory, const char *name) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "r");
    json_t *rows = json_array();
    json_error_t error;
    while (file) {
        json_t *row = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error);
        if (!row) break;
        (void)json_array_append_new(rows, row);
    }
    if (file) (void)fclose(file);
    return rows;
}

shf_op *conformance_wait(struct conformance *c, shf_status submitted, const shf_op_id *id) {
    shf_op *op = NULL;
    if (submitted) {
        (void)conformance_fail("submit: %s", shf_status_text(submitted));
        return NULL;
    }
    if (shf_await(c->cq, *id, 120000, &op)) {
        (void)conformance_fail("an operation did not complete within two minutes");
        return NULL;
    }
    return op;
}

shf_reader *conformance_open(struct conformance *c, const char *ref, int attempts, shf_status *status) {
    shf_reader_options options;
    shf_s3_options s3;
    shf_call call;
    shf_op_id id;
    shf_reader *reader = NULL;
    SHF_INIT(&options);
    SHF_INIT(&s3);
    SHF_INIT(&call);
    call.cq = c->cq;
    options.url = c->url;
    options.local_root = c->cache;
    options.manifest_ref = ref;
    options.max_fallback_attempts = attempts ? attempts : SHF_FALLBACK_NONE;
    options.s3 = &s3;
    options.flags = c->flags;
    shf_op *op = conformance_wait(c, shf_open(c->runtime, &options, &call, &id), &id);
    if (!op) return NULL;
    *status = shf_op_status(op);
    if (*status) (void)conformance_fail("open: %s", shf_error_message(shf_op_error(op)));
    if (!*status) *status = shf_op_take_reader(op, &reader);
    shf_op_release(op);
    return reader;
}

static bool close_reader(struct conformance *c, shf_reader *reader) {
    shf_call call;
    shf_op_id id;
    SHF_INIT(&call);
    call.cq = c->cq;
    shf_op *op = conformance_wait(c, shf_close(reader, SHF_CLOSE_DRAIN, &call, &id), &id);
    bool ok = op && shf_op_status(op) == SHF_OK;
    shf_op_release(op);
    shf_reader_release(reader);
    return ok;
}

/* ---- a case ---- */

static bool check_answers(struct conformance *c, shf_reader *reader, const char *directory, const char *expected_name) {
    json_t *keys = conformance_lines(directory, expected_name);
    bool ok = conformance_check_keys(c, reader, keys);
    json_decref(keys);
    return ok;
}

static bool check_served(struct conformance *c, const char *directory) {
    shf_status status;
    shf_reader *reader = conformance_open(c, NULL, 3, &status);
    if (!reader) return false;
    json_t *queries = conformance_lines(directory, "queries.jsonl");
    json_t *info = conformance_json(directory, "info.json");
    bool has_keys = !c->is_vector_only;
    bool ok = (!has_keys || check_answers(c, reader, directory, "expected.jsonl")) &&
              conformance_check_queries(c, reader, queries) && (!info || conformance_check_info(c, reader, info));
    json_decref(queries);
    json_decref(info);
    return close_reader(c, reader) && ok;
}

/* What the open served or failed with, for each recorded number of attempts. */
static bool check_attempts(struct conformance *c, const json_t *meta) {
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(meta, "open_by_max_fallback_attempts"), i, entry) {
        int attempts = (int)json_integer_value(json_object_get(entry, "max_fallback_attempts"));
        const json_t *run = json_object_get(entry, "opened_run");
        shf_status status = SHF_OK;
        shf_reader *reader = conformance_open(c, NULL, attempts, &status);
        if ((run != NULL) != (reader != NULL)) {
            if (reader) shf_reader_release(reader);
            return conformance_fail("%d fallback attempts: %s, the peer %s", attempts, reader ? "opened" : problem,
                                    run ? "opened" : "did not");
        }
        if (!reader) continue;
        char wanted[32];
        shf_snapshot *snapshot = NULL;
        shf_snapshot_info info;
        SHF_INIT(&info);
        (void)snprintf(wanted, sizeof wanted, "_run_id=run-%02d-", (int)json_integer_value(run));
        bool same = shf_reader_snapshot(reader, &snapshot) == SHF_OK &&
                    shf_snapshot_describe(snapshot, &info) == SHF_OK && strstr(info.manifest_ref, wanted);
        if (!same) (void)conformance_fail("%d fallback attempts: opened %s", attempts, info.manifest_ref);
        shf_snapshot_release(snapshot);
        shf_reader_release(reader);
        if (!same) return false;
    }
    return true;
}

static bool check_history(struct conformance *c, const char *directory) {
    json_t *history = conformance_json(directory, "history.json");
    if (!history) return true;
    bool ok = conformance_check_history(c, history);
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(history, "newest_first"), i, entry) {
        const char *expected = json_string_value(json_object_get(entry, "expected"));
        shf_status status;
        if (!ok || !expected) continue;
        shf_reader *reader = conformance_open(c, json_string_value(json_object_get(entry, "ref")), 0, &status);
        ok = reader && check_answers(c, reader, directory, expected);
        if (reader) ok = close_reader(c, reader) && ok;
    }
    json_decref(history);
    return ok;
}

/* The failures that the peer recorded, and the status that each must have here. */
static bool check_open_error(struct conformance *c, const char *name) {
    static const struct {
        const char *name;
        shf_status status;
        const char *says;
    } wanted[] = {{"current-missing", SHF_E_STATE, "CURRENT pointer not found"},
                  {"current-malformed", SHF_E_MANIFEST, "_CURRENT"},
                  {"current-incomplete", SHF_E_MANIFEST, "_CURRENT"},
                  {"current-dangling", SHF_E_NOT_FOUND, "_run_id=gone/manifest"},
                  {"fallback-four-bad", SHF_E_STATE, "no valid manifest"}};
    shf_status status = SHF_OK;
    shf_reader *reader = conformance_open(c, NULL, 3, &status);
    if (reader) {
        shf_reader_release(reader);
        return conformance_fail("opened, though the peer could not");
    }
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strcmp(wanted[i].name, name) != 0) continue;
        if (status == wanted[i].status && strstr(problem, wanted[i].says)) return true;
        char said[sizeof problem];
        (void)snprintf(said, sizeof said, "%s", problem);
        return conformance_fail("status %d (%d wanted), \"%.600s\" (\"%s\" wanted in it)", status, wanted[i].status,
                                said, wanted[i].says);
    }
    return conformance_fail("no outcome is written down here for %s", name);
}

static bool check_case(struct conformance *c, const char *directory, const char *name) {
    json_t *meta = conformance_json(directory, "case.json");
    if (!meta) return conformance_fail("no case.json");
    bool fails = json_object_get(meta, "open_error") != NULL;
    const char *kind = json_string_value(json_object_get(meta, "kind"));
    c->is_vector_only = kind && strcmp(kind, "vector-only") == 0;
    bool ok = (fails ? check_open_error(c, name) : check_served(c, directory)) && check_attempts(c, meta) &&
              check_history(c, directory);
    json_decref(meta);
    return ok;
}

/* ---- all of them ---- */

static bool is_wanted(const char *name, int count, char **patterns) {
    for (int i = 0; i < count; i++) {
        if (fnmatch(patterns[i], name, 0) == 0) return true;
    }
    return false;
}

static int compare_names(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

int main(int argc, char **argv) {
    struct conformance c = {0};
    struct dirent **entries;
    int passed = 0, failed = 0;
    if (argc < 4) {
        (void)fprintf(stderr, "usage: conformance CASES_DIR BASE_URL PATTERN...\n");
        return 2;
    }
    char cache[] = "/tmp/shf-conformance-XXXXXX";
    c.cache = mkdtemp(cache);
    c.flags = getenv("SHF_CONFORMANCE_LAZY")   ? SHF_OPEN_LAZY
              : getenv("SHF_CONFORMANCE_COPY") ? SHF_OPEN_PRIVATE_COPY
                                               : 0;
    if (!c.cache || shf_runtime_new(NULL, &c.runtime) || shf_cq_new(c.runtime, 0, &c.cq)) return 2;
    int count = scandir(argv[1], &entries, NULL, compare_names);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char directory[4096], url[4096];
        if (name[0] != '.' && is_wanted(name, argc - 3, argv + 3)) {
            (void)snprintf(directory, sizeof directory, "%s/%s", argv[1], name);
            (void)snprintf(url, sizeof url, "%s/%s/snapshot", argv[2], name);
            c.url = url;
            bool ok = check_case(&c, directory, name);
            if (!ok) (void)printf("%s: %s\n", name, problem);
            passed += ok;
            failed += !ok;
        }
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    if (shf_cq_free(c.cq) || shf_runtime_free(c.runtime)) {
        (void)printf("something is still held at the end\n");
        failed++;
    }
    conformance_remove_tree(c.cache);
    (void)printf("%d passed, %d failed\n", passed, failed);
    return failed || !passed;
}
