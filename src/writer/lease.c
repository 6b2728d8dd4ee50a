#include "writer/lease.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "formats/manifest_build.h"

#include <string.h>

struct shf_lease_times shf_lease_times = {.renew_ms = 60000, .lease_ms = 600000};

#define PRECONDITION_FAILED 412
#define NAME_RANDOM_BYTES 16u
#define ENDING_MS 30000 /* what the last word may take */

static struct shf_lease *lease_of(struct shf_errand *errand) { return SHF_CONTAINER(errand, struct shf_lease, errand); }

static void log_problem(const struct shf_lease *lease, const char *what) {
    shf_log_write(shf_rt_log(lease->runtime), SHF_LOG_WARNING, "%s: %s", what,
                  shf_error_message(lease->errand.request.error));
}

/* ---- renewing ---- */

static void time_came(struct shf_wait *wait, shf_status reason);

static void wait_for_next(struct shf_lease *lease) {
    if (lease->ended || lease->status || !lease->key) return;
    lease->wait = (struct shf_wait){.deadline_ns = shf_deadline_after_ms(shf_lease_times.renew_ms), .wake = time_came};
    shf_wait_begin(lease->runtime, &lease->wait);
}

static void end_now(struct shf_lease *lease);

static void finish_step(struct shf_lease *lease) {
    lease->busy = false;
    if (lease->ended && !lease->said_last) { /* a renewal was under way when the end came */
        end_now(lease);
        return;
    }
    void (*then)(struct shf_lease *) = lease->then;
    bool lost = lease->status != SHF_OK && !lease->ended;
    lease->then = NULL;
    wait_for_next(lease);
    if (then) {
        then(lease); /* may free it */
    } else if (lost) {
        lease->lost(lease);
    }
}

static void lose(struct shf_lease *lease, const char *why) {
    lease->status = shf_error_set(&lease->error, SHF_E_STATE,
                                  "run %s lost its lease: %s; nothing was published, build again under a new run id",
                                  lease->run_id, why);
}

static void keep_version(struct shf_lease *lease) {
    shf_free(lease->version);
    lease->version = lease->errand.request.version;
    lease->errand.request.version = NULL;
    lease->expires_at_us = lease->record.lease_expires_at_us;
}

static void send_record(struct shf_lease *lease, const char *if_version) {
    char *text = NULL;
    size_t size = 0;
    lease->record.updated_at_us = shf_clock_wall_us();
    lease->record.lease_expires_at_us = lease->record.status == SHF_RUN_RUNNING
                                            ? lease->record.updated_at_us + shf_lease_times.lease_ms * 1000
                                            : lease->record.updated_at_us;
    (void)shf_run_record_write(&lease->record, &text, &size, NULL);
    shf_errand_put(&lease->errand, shf_strdup(lease->key), text, size, SHF_RUN_RECORD_TYPE, if_version,
                   lease->then_written);
}

static void put(struct shf_lease *lease, const char *if_version, struct shf_lease_patience patience,
                void (*then)(struct shf_errand *)) {
    lease->busy = true;
    lease->looked_back = false;
    lease->then_written = then;
    lease->errand.cancel = patience.cancel;
    lease->errand.deadline_ns = patience.deadline_ns;
    send_record(lease, if_version);
}

static void not_renewed(struct shf_lease *lease) {
    log_problem(lease, "the run record was not written");
    if (shf_clock_wall_us() >= lease->expires_at_us) lose(lease, "it could not be renewed for too long");
}

/* The time of the beginning is in every record of a run, and whoever goes on with it writes a later one. */
static bool is_ours(const struct shf_lease *lease) {
    const struct shf_store_request *request = &lease->errand.request;
    struct shf_run_state state;
    return request->body && shf_run_record_read(request->body->data, request->body->size, &state, NULL) == SHF_OK &&
           state.started_at_us == lease->started_at_us;
}

static void looked_back(struct shf_errand *errand) {
    struct shf_lease *lease = lease_of(errand);
    if (errand->status && errand->status != SHF_E_NOT_FOUND) {
        not_renewed(lease);
        finish_step(lease);
    } else if (!errand->status && is_ours(lease)) {
        shf_free(lease->version);
        lease->version = errand->request.version;
        errand->request.version = NULL;
        send_record(lease, lease->version);
    } else {
        lose(lease, "somebody else changed its record");
        finish_step(lease);
    }
}

/* Whether a refusal is being looked into: then_written comes again. */
static bool looks_back(struct shf_lease *lease) {
    if (lease->looked_back || shf_error_http_status(lease->errand.request.error) != PRECONDITION_FAILED) return false;
    lease->looked_back = true;
    shf_errand_get(&lease->errand, shf_strdup(lease->key), SHF_LIMIT_RUN_RECORD_BYTES, looked_back);
    return true;
}

static void written(struct shf_errand *errand) {
    struct shf_lease *lease = lease_of(errand);
    if (!errand->status) {
        keep_version(lease);
    } else if (looks_back(lease)) {
        return;
    } else if (shf_error_http_status(errand->request.error) == PRECONDITION_FAILED) {
        lose(lease, "somebody else changed its record");
    } else {
        not_renewed(lease);
    }
    finish_step(lease);
}

static const struct shf_lease_patience endless = {.deadline_ns = SHF_DEADLINE_NONE};

static void time_came(struct shf_wait *wait, shf_status reason) {
    struct shf_lease *lease = SHF_CONTAINER(wait, struct shf_lease, wait);
    if (reason == SHF_E_DEADLINE && !lease->ended) put(lease, lease->version, endless, written);
}

/* A step asked for from outside: at once, or after the renewal that is under way. */
static void stop_waiting(struct shf_lease *lease) {
    if (lease->wait.waiting) shf_wait_end(lease->runtime, &lease->wait, SHF_OK);
}

void shf_lease_renew(struct shf_lease *lease, struct shf_lease_patience patience, void (*then)(struct shf_lease *lease)) {
    stop_waiting(lease);
    lease->then = then;
    if (lease->busy) return; /* the one that is under way is as good */
    if (lease->status || !lease->key) {
        finish_step(lease);
    } else {
        put(lease, lease->version, patience, written);
    }
}

/* ---- the beginning ---- */

static void begun(struct shf_errand *errand) {
    struct shf_lease *lease = lease_of(errand);
    if (!errand->status) {
        keep_version(lease);
    } else {
        log_problem(lease, "the run goes on without a record, it can not be written");
        shf_free(lease->key);
        lease->key = NULL;
    }
    finish_step(lease);
}

static char *make_key(const struct shf_lease *lease) {
    uint8_t bytes[NAME_RANDOM_BYTES];
    char time[SHF_TIME_TEXT_BYTES], random[2 * NAME_RANDOM_BYTES + 1];
    struct shf_text tail = {0};
    if (!shf_random_bytes(bytes, sizeof bytes)) return NULL;
    shf_hex_encode(bytes, sizeof bytes, random);
    shf_time_format(lease->started_at_us, time);
    shf_text_format(&tail, SHF_RUN_RECORDS_DIRECTORY "%s_run_id=%s_%s/run.yaml", time, lease->run_id, random);
    char *text = shf_text_take(&tail);
    char *key = text ? shf_location_key(lease->location, text) : NULL;
    shf_free(text);
    return key;
}

void shf_lease_begin(struct shf_lease *lease, struct shf_lease_patience patience, void (*then)(struct shf_lease *lease)) {
    lease->errand = (struct shf_errand){.store = lease->store};
    lease->then = then;
    lease->started_at_us = lease->expires_at_us = shf_clock_wall_us();
    lease->key = make_key(lease);
    lease->record = (struct shf_run_record){.status = SHF_RUN_RUNNING,
                                            .run_id = lease->run_id,
                                            .s3_prefix = lease->location->url,
                                            .started_at_us = lease->started_at_us};
    if (lease->key) {
        put(lease, NULL, patience, begun);
    } else {
        finish_step(lease);
    }
}

/* ---- the end ---- */

static void last_written(struct shf_errand *errand) {
    struct shf_lease *lease = lease_of(errand);
    if (errand->status && looks_back(lease)) return;
    if (errand->status) log_problem(lease, "the last run record was not written");
    finish_step(lease);
}

static void end_now(struct shf_lease *lease) {
    lease->said_last = true;
    if (lease->status || !lease->key) {
        finish_step(lease);
        return;
    }
    const struct shf_lease_patience patience = {.deadline_ns = shf_deadline_after_ms(ENDING_MS)};
    put(lease, lease->version, patience, last_written);
}

void shf_lease_end(struct shf_lease *lease, enum shf_run_status status, const char *manifest_ref,
                   const char *error_type, const char *error_message, void (*then)(struct shf_lease *lease)) {
    stop_waiting(lease);
    lease->ended = true;
    lease->record.status = status;
    lease->record.manifest_ref = manifest_ref;
    lease->record.error_type = error_type;
    lease->record.error_message = error_message;
    lease->then = then;
    if (!lease->busy) end_now(lease);
}

void shf_lease_free(struct shf_lease *lease) {
    shf_errand_end(&lease->errand);
    shf_free(lease->key);
    shf_free(lease->version);
    shf_error_free(lease->error);
    lease->key = lease->version = NULL;
    lease->error = NULL;
}
