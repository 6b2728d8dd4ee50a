#include "fault/session.h"

#include "fault/plan.h"
#include "fault/stand_in.h"
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_MS 60000
#define SETTLE_MS 5000
#define CHECKED_ROWS 100

const char *session_base;
void (*session_publish)(enum world_pointer pointer);
const shf_s3_options *session_s3;
int64_t session_timeout_ms;
bool session_manifests_may_go;
int (*session_foreign_descriptors)(void);

static void nap(void) { (void)nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL); }

/* ---- outcomes ---- */

bool session_wrong(struct session *session, const char *format, ...) {
    va_list arguments;
    if (session->outcome.is_wrong) return false;
    session->outcome.is_wrong = true;
    va_start(arguments, format);
    (void)vsnprintf(session->outcome.message, sizeof session->outcome.message, format, arguments);
    va_end(arguments);
    return false;
}

bool session_status(struct session *session, shf_status status, const char *what) {
    struct outcome *outcome = &session->outcome;
    if (status == SHF_OK) return true;
    if (outcome->status || outcome->is_wrong) return false;
    outcome->status = status;
    outcome->retryable = status == SHF_E_NO_MEMORY || status == SHF_E_BUSY; /* there is no error object to ask */
    (void)snprintf(outcome->message, sizeof outcome->message, "%s: %s", what, shf_status_text(status));
    return false;
}

/* The error of a failed operation agrees with its status, and says something. */
static bool take_error(struct session *session, shf_status status, const shf_op *op) {
    struct outcome *outcome = &session->outcome;
    const shf_error *error = shf_op_error(op);
    if (shf_op_status(op) != status) return session_wrong(session, "two statuses: %d, %d", status, shf_op_status(op));
    if ((error != NULL) != (status != SHF_OK))
        return session_wrong(session, "status %d, and an error object or none", status);
    if (status == SHF_OK) return true;
    if (shf_error_code(error) != status || shf_error_category(error) != shf_status_category(status) ||
        !*shf_error_message(error) || !shf_error_object(error)) {
        return session_wrong(session, "status %d, but the error says %d: %s", status, shf_error_code(error),
                             shf_error_message(error));
    }
    if (shf_op_value_count(op) || shf_op_query_count(op) || shf_op_manifest_count(op)) {
        return session_wrong(session, "a failed operation has results");
    }
    if (outcome->status) return false;
    outcome->status = status;
    outcome->retryable = shf_error_retryable(error);
    outcome->http_status = shf_error_http_status(error);
    (void)snprintf(outcome->message, sizeof outcome->message, "%.500s", shf_error_message(error));
    return false;
}

bool session_ended(struct session *session, shf_status status, const shf_op *op) {
    if (!op) return session_status(session, status, "a synchronous call");
    return take_error(session, status, op);
}

shf_op *session_wait(struct session *session, shf_status submitted, shf_op_id id) {
    shf_op *op = NULL;
    if (!session_status(session, submitted, "a call was refused")) return NULL;
    shf_status waited = shf_await(session->cq, id, WAIT_MS, &op);
    if (waited) plan_fail("an operation does not end: %s", shf_status_text(waited));
    if (take_error(session, shf_op_status(op), op)) return op;
    shf_op_release(op);
    return NULL;
}

/* ---- answers ---- */

bool session_values_are_right(struct session *session, const shf_op *op, size_t first_row, size_t count) {
    if (shf_op_value_count(op) != count)
        return session_wrong(session, "%zu values of %zu", shf_op_value_count(op), count);
    for (size_t i = 0; i < count; i++) {
        shf_value value;
        SHF_INIT(&value);
        if (shf_op_value(op, i, &value) || !world_value_is(first_row + i, session->serves, &value)) {
            return session_wrong(session, "the value of row %zu is not that of run %d", first_row + i, session->serves);
        }
    }
    return true;
}

bool session_hits_are_right(struct session *session, const shf_op *op, size_t count) {
    if (shf_op_query_count(op) != count)
        return session_wrong(session, "%zu queries of %zu", shf_op_query_count(op), count);
    for (size_t query = 0; query < count; query++) {
        if (!world_hits_are(op, query, query, session->serves)) {
            return session_wrong(session, "the hits of query %zu are not those of run %d", query, session->serves);
        }
    }
    return true;
}

static bool reader_is_right(struct session *session) {
    shf_op *values = NULL, *hits = NULL;
    shf_key keys[CHECKED_ROWS];
    shf_status status;
    bool ok = true;
    for (size_t i = 0; i < CHECKED_ROWS && world->row_count; i++) keys[i] = world_key(i);
    if (world->row_count) {
        status = shf_multi_get_sync(session->reader, keys, CHECKED_ROWS, NULL, 0, &values);
        ok = session_ended(session, status, values) && session_values_are_right(session, values, 0, CHECKED_ROWS);
    }
    if (ok && world->dimension) {
        shf_query query = world_query(0);
        status = shf_search_sync(session->reader, &query, 0, &hits);
        ok = session_ended(session, status, hits) && session_hits_are_right(session, hits, 1);
    }
    shf_op_release(values);
    shf_op_release(hits);
    return ok;
}

/* ---- opening ---- */

shf_reader_options session_options(const struct session *session) {
    shf_reader_options options;
    SHF_INIT(&options);
    options.url = session->scenario->over_store ? STAND_IN_URL : session->url;
    options.local_root = session->cache;
    options.flags = session->scenario->flags;
    options.max_open_shards = session->scenario->max_open_shards;
    options.s3 = session_s3;
    options.timeout_ms = WAIT_MS / 2;
    return options;
}

shf_call session_call(const struct session *session) {
    shf_call call;
    SHF_INIT(&call);
    call.cq = session->cq;
    call.timeout_ms = session_timeout_ms;
    return call;
}

static void no_log(void *context, int level, const char *message) {
    (void)context, (void)level, (void)message; /* asked for, so that the messages are made */
}

bool session_make_runtime(struct session *session) {
    shf_runtime_options options;
    SHF_INIT(&options);
    options.worker_threads = 1;
    options.max_inflight_ops = 32;
    options.log_level = SHF_LOG_DEBUG;
    options.log = no_log;
    return session_status(session, shf_runtime_new(&options, &session->runtime), "shf_runtime_new") &&
           session_status(session, shf_cq_new(session->runtime, 32, &session->cq), "shf_cq_new");
}

bool session_open(struct session *session) {
    shf_reader_options options = session_options(session);
    shf_call call = session_call(session);
    shf_op_id id = 0;
    shf_status submitted = shf_open(session->runtime, &options, &call, &id);
    shf_op *op = session_wait(session, submitted, id);
    if (!op) return false;
    shf_status status = shf_op_take_reader(op, &session->reader);
    shf_op_release(op);
    return status == SHF_OK || session_wrong(session, "shf_op_take_reader: %d", status);
}

/* ---- before and after ---- */

static char *cold, *warm;

void session_setup(void) {
    cold = support_path("%s/cache-cold", world_root);
    warm = support_path("%s/cache-warm", world_root);
    /* libuv keeps two descriptors from the first loop on. */
    shf_runtime *runtime = NULL;
    assert_int_equal(shf_runtime_new(NULL, &runtime), SHF_OK);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

void session_teardown(void) {
    free(cold);
    free(warm);
}

int session_count_descriptors(void) {
    DIR *names = opendir("/proc/self/fd");
    int count = 0;
    while (names && readdir(names)) count++;
    if (names) (void)closedir(names);
    return count - (session_foreign_descriptors ? session_foreign_descriptors() : 0);
}

static void publish(enum world_pointer pointer) {
    world_publish(pointer);
    stand_in_publish(pointer);
    if (session_publish) session_publish(pointer);
}

void session_begin(struct session *session, const struct scenario *scenario) {
    *session = (struct session){.scenario = scenario, .cache = scenario->cache == CACHE_COLD ? cold : warm};
    if (scenario->cache == CACHE_COLD) support_remove_tree(cold);
    world_select(scenario->world);
    (void)snprintf(session->url, sizeof session->url, "%s/%s", session_base ? session_base : world_root, world->name);
    session->serves = scenario->opened == WORLD_SECOND;
    if (scenario->start >= START_RUNTIME && !session_make_runtime(session)) plan_fail("no runtime");
    if (scenario->over_store) stand_in_begin(session->runtime);
    publish(scenario->opened);
    int64_t timeout_ms = session_timeout_ms;
    session_timeout_ms = 0;
    if (scenario->start == START_READER && !session_open(session)) {
        plan_fail("the reader does not open: %s", session->outcome.message);
    }
    session_timeout_ms = timeout_ms;
    publish(scenario->published);
}

static void check_cache_directory(const struct session *session) {
    DIR *names = opendir(session->cache);
    const struct dirent *entry;
    while (names && (entry = readdir(names)) != NULL) {
        if (strncmp(entry->d_name, "tmp-", 4) == 0) plan_fail("a temporary stays in the cache: %s", entry->d_name);
    }
    if (names) (void)closedir(names);
}

/* What was cancelled gives its buffers back a little after the operation has ended. */
static void check_counters(const struct session *session) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    for (int waited = 0; waited < SETTLE_MS * 2; waited++) {
        if (shf_runtime_stats_get(session->runtime, &stats)) plan_fail("no stats");
        if (!stats.inflight_ops && !stats.budget_used_bytes && !stats.mapped_bytes) return;
        nap();
    }
    plan_fail("still held: %u operations, %llu bytes of the budget, %llu mapped bytes", stats.inflight_ops,
              (unsigned long long)stats.budget_used_bytes, (unsigned long long)stats.mapped_bytes);
}

static void close_reader(struct session *session) {
    shf_op *op = NULL;
    shf_status status = shf_close_sync(session->reader, SHF_CLOSE_DRAIN, 0, &op);
    if (status) plan_fail("afterwards the reader does not close: %s", shf_error_message(shf_op_error(op)));
    shf_op_release(op);
    shf_reader_release(session->reader);
    session->reader = NULL;
}

void session_check(struct session *session) {
    const struct scenario *scenario = session->scenario;
    session_timeout_ms = 0;
    if (scenario->check) scenario->check(session);
    session->outcome = (struct outcome){.status = SHF_OK};
    if (session->reader && !scenario->closes && !reader_is_right(session)) {
        plan_fail("afterwards the reader is not right: %s", session->outcome.message);
    }
    if (session->reader) close_reader(session);
    if (scenario->start == START_NOTHING || scenario->start == START_READER) return;
    publish(WORLD_FIRST); /* another reader over the same cache */
    session->serves = 0;
    if (!session_open(session) || !reader_is_right(session)) {
        plan_fail("afterwards another reader does not open or is not right: %s", session->outcome.message);
    }
    close_reader(session);
    check_cache_directory(session);
}

void session_end(struct session *session) {
    if (!session->runtime) return;
    if (session->reader) shf_reader_release(session->reader);
    check_counters(session);
    stand_in_end();
    if (session->cq && shf_cq_free(session->cq)) plan_fail("something is still in the queue");
    shf_status status = SHF_E_BUSY;
    for (int waited = 0; status == SHF_E_BUSY && waited < SETTLE_MS * 2; waited++) {
        status = shf_runtime_free(session->runtime);
        if (status) nap(); /* a released reader is closed on the runtime's own threads */
    }
    if (status) plan_fail("the runtime can not be freed: %s", shf_status_text(status));
}
