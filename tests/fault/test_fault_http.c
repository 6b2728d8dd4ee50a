/*
 * Answers of an S3 server that are refused, cut, late or wrong: each request of an operation, in each way, once and from
 * then on; and allocations and system calls that fail while the transfers are real ones. tests/integration/test_s3_faults.c
 * looks at messages and attempts more closely.
 */
#include "fault/drive.h"
#include "fault/main.h"
#include "fault/plan.h"
#include "fault/scenarios.h"
#include "fault/sweeps.h"
#include "harness/fault_proxy.h"
#include "harness/s3_server.h"
#include "io/s3_outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define BUCKET "copies"
#define SAMPLED_SWEEPS 16
#define SAMPLED_ALLOCATIONS 3
#define SAMPLED_CALLS 3
#define STALL_MS 300 /* deadline of an operation that is to meet silence */
#define SILENCE_MS 300
#define ATTEMPTS 2

static struct s3_server server;
static struct fault_proxy *proxy;
static shf_s3_options s3;

/* Attempts follow one another at once. */
int64_t __wrap_shf_s3_pause_ms(uint32_t attempts, int64_t retry_after_ms);
int64_t __wrap_shf_s3_pause_ms(uint32_t attempts, int64_t retry_after_ms) {
    (void)attempts, (void)retry_after_ms;
    return 1;
}

/* What may come of it; 0 ends the list. */
#define MOST_STATUSES 7
struct kind {
    const char *name;
    struct fault fault;
    int64_t timeout_ms;       /* of the operation */
    uint32_t read_timeout_ms; /* of the store; 0 = the default */
    shf_status statuses[MOST_STATUSES];
};
/* A pointer or manifest that is malformed, where the bytes of a shard are checked against its size and MD5. */
#define MALFORMED SHF_E_MANIFEST, SHF_E_STATE, SHF_E_STORE_RETRY, SHF_E_STORE, SHF_E_CORRUPT, SHF_E_UNSUPPORTED
#define REFUSED(http, code) .fault = {.kind = FAULT_STATUS, .number = (http), .text = (code)}

static const struct kind kinds[] = {
    {"HTTP 403", REFUSED(403, "AccessDenied"), .statuses = {SHF_E_ACCESS}},
    {"HTTP 404", REFUSED(404, "NoSuchKey"), .statuses = {SHF_E_NOT_FOUND, SHF_E_STATE}},
    {"HTTP 412", REFUSED(412, "PreconditionFailed"), .statuses = {SHF_E_STORE, SHF_E_STORE_RETRY}},
    {"HTTP 416", REFUSED(416, "InvalidRange"), .statuses = {SHF_E_STORE}},
    {"HTTP 429", REFUSED(429, "TooManyRequests"), .statuses = {SHF_E_STORE_RETRY}},
    {"HTTP 500", REFUSED(500, "InternalError"), .statuses = {SHF_E_STORE_RETRY}},
    {"HTTP 503", REFUSED(503, "SlowDown"), .statuses = {SHF_E_STORE_RETRY}},
    {"reset", .fault = {.kind = FAULT_RESET}, .statuses = {SHF_E_STORE_RETRY}},
    {"reset in the body", .fault = {.kind = FAULT_RESET, .method = "GET", .number = 20}, .statuses = {SHF_E_STORE_RETRY}},
    {"silence until the deadline", .fault = {.kind = FAULT_STALL}, STALL_MS, .statuses = {SHF_E_DEADLINE}},
    {"silence in the body", .fault = {.kind = FAULT_STALL, .method = "GET", .number = 20}, 0, SILENCE_MS,
     .statuses = {SHF_E_STORE_RETRY}},
    {"cut", .fault = {.kind = FAULT_TRUNCATE, .method = "GET", .number = 20}, .statuses = {SHF_E_STORE_RETRY}},
    {"longer", .fault = {.kind = FAULT_LONGER, .number = 5}, .statuses = {MALFORMED}},
    {"bytes behind the body", .fault = {.kind = FAULT_EXCESS, .number = 1000}, .statuses = {SHF_E_STORE_RETRY}},
    {"no length", .fault = {.kind = FAULT_NO_LENGTH}, .statuses = {SHF_E_STORE}},
    {"another byte", .fault = {.kind = FAULT_FLIP, .number = 2}, .statuses = {MALFORMED}},
    {"another ETag", .fault = {.kind = FAULT_ETAG, .text = "\"0123456789abcdef0123456789abcdef\""},
     .statuses = {SHF_E_STORE_RETRY}},
    {"a Content-Range", .fault = {.kind = FAULT_CONTENT_RANGE, .text = "bytes 5-6/7"}},
    {"redirect elsewhere", .fault = {.kind = FAULT_REDIRECT, .number = 307, .text = "http://localhost:9/x"},
     .statuses = {SHF_E_STORE}},
    {"redirect to another bucket", .fault = {.kind = FAULT_REDIRECT, .number = 301, .text = "/other/x"},
     .statuses = {SHF_E_STORE}},
};
#define KINDS ((uint32_t)(sizeof kinds / sizeof kinds[0]))

struct sweep {
    const struct scenario *scenario;
    const struct kind *kind; /* NULL: none */
    uint32_t ordinal, seen;
    bool for_ever;
};

static void arm(void *context) {
    const struct sweep *sweep = context;
    fault_proxy_heal(proxy);
    if (!sweep->kind) return;
    struct fault fault = sweep->kind->fault;
    fault.skip = sweep->ordinal - 1;
    fault.times = sweep->for_ever ? 0 : 1;
    fault_proxy_set(proxy, &fault, 1);
    session_timeout_ms = sweep->kind->timeout_ms;
    session_manifests_may_go = fault.number == 404 || sweep->kind->statuses[0] == SHF_E_MANIFEST;
}

static uint32_t disarm(void *context) {
    struct sweep *sweep = context;
    sweep->seen = fault_proxy_requests(proxy);
    uint32_t struck = sweep->kind ? fault_proxy_spoilt(proxy) : 0;
    fault_proxy_heal(proxy);
    session_timeout_ms = 0;
    session_manifests_may_go = false;
    s3.read_timeout_ms = s3.max_attempts = 0; /* afterwards kept connections may still hold what was wrong */
    return struck;
}

static bool is_clean(void *context, const struct outcome *outcome) {
    const struct sweep *sweep = context;
    const struct kind *kind = sweep->kind;
    bool is_retryable = outcome->status == SHF_E_STORE_RETRY || outcome->status == SHF_E_DEADLINE;
    bool is_refused = kind->fault.kind == FAULT_STATUS && outcome->status != SHF_E_STATE;
    if (outcome->retryable != is_retryable) return false;
    for (size_t i = 0; i < MOST_STATUSES && kind->statuses[i]; i++) {
        if (outcome->status != kind->statuses[i]) continue;
        return !is_refused || outcome->http_status == (int32_t)kind->fault.number || outcome->status != kind->statuses[0];
    }
    return false;
}

static bool run(void *context, uint32_t ordinal) {
    struct sweep *sweep = context;
    const struct drive drive = {arm, disarm, is_clean, sweep, sweep->kind->timeout_ms > 0};
    sweep->ordinal = ordinal;
    s3.read_timeout_ms = sweep->kind->read_timeout_ms; /* of a reader that is opened before the faults, too */
    s3.max_attempts = ATTEMPTS;
    plan_at("over HTTP: %s: request %u: %s%s", sweep->scenario->name, ordinal, sweep->kind->name,
            sweep->for_ever ? ", from then on" : "");
    return drive_run(sweep->scenario, &drive);
}

/* ---- the scenarios, over HTTP: a run takes a while, so not all of them ---- */

static const char *const names[] = {
    "open, cold",         "get, lazy",        "refresh, changed",   "history", "composite, open, cold",
    "composite, refresh", "keys, open, cold", "vectors, open, cold"};
#define SCENARIOS ((uint32_t)(sizeof names / sizeof names[0]))

static const struct scenario *find(const char *name) {
    for (size_t i = 0; i < scenario_count; i++) {
        if (strcmp(scenarios[i].name, name) == 0) return &scenarios[i];
    }
    fail_msg("there is no scenario \"%s\"", name);
    return NULL;
}

static void publish(enum world_pointer pointer) {
    static enum world_pointer published[WORLD_KINDS]; /* the first, to begin with */
    const char *text = world_pointer_text(pointer);
    char key[64];
    if (pointer == published[world->kind]) return;
    (void)snprintf(key, sizeof key, "%s/_CURRENT", world->name);
    assert_true(text ? s3_server_put(&server, BUCKET, key, text, strlen(text)) : s3_server_delete(&server, BUCKET, key));
    published[world->kind] = pointer;
}

/* The proxy keeps the descriptors of its connections until it stops. */
static int count_connections(void) { return proxy ? (int)fault_proxy_connections(proxy) : 0; }

static void set_options(void) {
    SHF_INIT(&s3);
    s3.endpoint_url = fault_proxy_endpoint(proxy);
    s3.region = S3_SERVER_REGION;
    s3.access_key_id = server.access_key_id;
    s3.secret_access_key = server.secret_access_key;
}

/* A proxy takes so many connections and no more: each sweep has one of its own. */
static void change_proxy(void) {
    fault_proxy_stop(proxy);
    proxy = fault_proxy_start(server.port);
    assert_non_null(proxy);
    set_options();
}

static uint32_t count_requests(const struct scenario *scenario) {
    struct sweep sweep = {.scenario = scenario};
    const struct drive dry = {arm, disarm, is_clean, &sweep, false};
    plan_at("over HTTP: %s: without a fault", scenario->name);
    drive_dry(scenario, &dry); /* twice: the first one may find a cold cache */
    drive_dry(scenario, &dry);
    plan_count_site(sweep.seen);
    return sweep.seen;
}

static void test_answers(void **state) {
    (void)state;
    uint32_t index = 0;
    for (uint32_t i = 0; i < SCENARIOS; i++) {
        const struct scenario *scenario = find(names[i]);
        if (!plan_wants(scenario->name)) continue;
        change_proxy();
        uint32_t sites = count_requests(scenario);
        for (uint32_t kind = 0; kind < KINDS; kind++) {
            for (int for_ever = 0; for_ever < 2; for_ever++) {
                struct sweep sweep = {.scenario = scenario, .kind = &kinds[kind], .for_ever = for_ever};
                char name[160];
                (void)snprintf(name, sizeof name, "http/%s/%s/%d", scenario->name, kinds[kind].name, for_ever);
                bool is_picked = plan_picks("http", index++, SCENARIOS * KINDS * 2, SAMPLED_SWEEPS);
                if (!is_picked || !sites) continue;
                change_proxy();
                plan_sweep(name, sites, 1, run, &sweep);
            }
        }
    }
    plan_assert();
}

static void test_allocations_and_calls(void **state) {
    (void)state;
    static const char *const chosen[] = {"open, cold", "history"};
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++) {
        const struct scenario *scenario = find(chosen[i]);
        if (!plan_wants(scenario->name)) continue;
        change_proxy();
        sweep_allocations(scenario, SAMPLED_ALLOCATIONS);
        if (i > 0) continue; /* files are written by the first only */
        change_proxy();
        sweep_calls(scenario, SAMPLED_CALLS);
    }
    plan_assert();
}

/* ---- the server ---- */

static int begin(void **state) {
    s3_server_clean_environment();
    if (!s3_server_start(&server)) return -1;
    int failed = fault_begin(state);
    proxy = fault_proxy_start(server.port);
    if (failed || !proxy || !s3_server_make_bucket(&server, BUCKET)) return -1;
    for (int kind = 0; kind < WORLD_KINDS; kind++) {
        const struct world *from = world_of((enum world_kind)kind);
        if (!s3_server_put_folder(&server, from->snapshot, BUCKET, from->name)) return -1;
    }
    set_options();
    session_base = "s3://" BUCKET;
    session_s3 = &s3;
    session_publish = publish;
    session_foreign_descriptors = count_connections;
    return 0;
}

static int end(void **state) {
    fault_proxy_stop(proxy);
    s3_server_stop(&server);
    return fault_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_allocations_and_calls)};
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    fault_install("answers over HTTP");
    return cmocka_run_group_tests(tests, begin, end);
}
