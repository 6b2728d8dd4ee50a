/*
 *   GET _CURRENT
 *   LIST shards/run_id=R/                     there: only a resume may go on
 *   LIST manifests/                           does one name the run?
 *   given run id: LIST runs/, GET its records there: only a resume may go on, when they are over and not successful
 *   resume: LIST shards/run_id=R/db=N/ of each
 */
#include "writer/claim.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "formats/manifest_build.h"
#include "snapshot/manifest_names.h"
#include "writer/run_record.h"

#include <stdio.h>
#include <string.h>

static struct shf_claim *claim_of(struct shf_errand *errand) { return SHF_CONTAINER(errand, struct shf_claim, errand); }

static void drop_names(struct shf_claim *claim) {
    for (size_t i = 0; i < claim->name_count; i++) shf_free(claim->names[i]);
    shf_free(claim->names);
    claim->names = NULL;
    claim->name_count = claim->name_at = 0;
}

static void take_names(struct shf_claim *claim) {
    struct shf_store_request *request = &claim->errand.request;
    drop_names(claim);
    claim->names = request->names;
    claim->name_count = request->name_count;
    request->names = NULL;
    request->name_count = 0;
}

void shf_claim_free(struct shf_claim *claim) {
    drop_names(claim);
    shf_errand_end(&claim->errand);
    shf_error_free(claim->error);
    shf_free(claim->current_version);
    shf_free(claim->current_ref);
    shf_free(claim->record_key);
    shf_free(claim->record_version);
    shf_free(claim->old_shards);
    *claim = (struct shf_claim){0};
}

static void finish(struct shf_claim *claim) {
    shf_errand_end(&claim->errand);
    drop_names(claim);
    claim->done(claim);
}

static void fail_with_request(struct shf_claim *claim) {
    claim->status = claim->errand.status;
    claim->error = shf_errand_take_error(&claim->errand);
    finish(claim);
}

static void refuse(struct shf_claim *claim, const char *why) {
    claim->status = shf_error_set(&claim->error, SHF_E_STATE, "run %s under %s %s", claim->setup->run_id,
                                  claim->setup->location.url, why);
    finish(claim);
}

static void no_memory(struct shf_claim *claim) {
    claim->status = shf_error_set(&claim->error, SHF_E_NO_MEMORY, "no memory to look at %s", claim->setup->location.url);
    finish(claim);
}

static char *key_of(const struct shf_claim *claim, const char *tail) {
    return tail ? shf_location_key(&claim->setup->location, tail) : NULL;
}

/* A listing of a prefix under which nothing is. */
static bool is_empty(const struct shf_claim *claim) {
    return shf_manifest_names_absent(&claim->setup->location, claim->errand.status);
}

static bool resumes(const struct shf_claim *claim) { return claim->setup->flags & SHF_WRITE_RESUME; }

/* ---- attempts of before ---- */

/* "db=00017/" -> 17, "attempt=03/" -> 3. */
static bool read_number(const char *name, const char *word, uint32_t *out) {
    size_t size = strlen(word);
    if (strncmp(name, word, size) != 0) return false;
    uint64_t value = 0;
    for (name += size; shf_ascii_is_digit(*name); name++) {
        value = value * 10 + (uint64_t)(*name - '0');
        if (value > SHF_LIMIT_SHARDS) return false;
    }
    *out = (uint32_t)value;
    return !strcmp(name, "/");
}

static void look_at_next_shard(struct shf_claim *claim);

static void attempts_listed(struct shf_errand *errand) {
    struct shf_claim *claim = claim_of(errand);
    if (errand->status && !is_empty(claim)) {
        fail_with_request(claim);
        return;
    }
    for (size_t i = 0; i < errand->request.name_count; i++) {
        uint32_t attempt;
        if (!read_number(errand->request.names[i], "attempt=", &attempt)) continue;
        if (attempt >= claim->first_attempt) claim->first_attempt = attempt + 1;
    }
    look_at_next_shard(claim);
}

static void look_at_next_shard(struct shf_claim *claim) {
    uint32_t shard = 0;
    while (claim->name_at < claim->name_count && !read_number(claim->names[claim->name_at], "db=", &shard)) {
        claim->name_at++;
    }
    if (claim->name_at == claim->name_count) {
        finish(claim);
        return;
    }
    struct shf_text tail = {0};
    claim->old_shards[claim->old_count++] = shard;
    shf_text_format(&tail, SHF_SHARD_PREFIX "/run_id=%s/%s", claim->setup->run_id, claim->names[claim->name_at++]);
    char *text = shf_text_take(&tail);
    shf_errand_list(&claim->errand, key_of(claim, text), attempts_listed);
    shf_free(text);
}

static void shards_listed_again(struct shf_errand *errand) {
    struct shf_claim *claim = claim_of(errand);
    if (errand->status && !is_empty(claim)) {
        fail_with_request(claim);
        return;
    }
    take_names(claim);
    claim->old_shards = shf_alloc_zero(claim->name_count, sizeof *claim->old_shards);
    if (claim->old_shards) {
        look_at_next_shard(claim);
    } else {
        no_memory(claim);
    }
}

/* ---- records of before ---- */

static void records_over(struct shf_claim *claim) {
    if (!resumes(claim)) {
        finish(claim);
        return;
    }
    if (claim->found_manifest && !claim->found_record) {
        refuse(claim, "has a manifest, and no record says that it was not published; build under a new run id");
        return;
    }
    claim->keeps_attempts = claim->found_manifest;
    char *tail = shf_writer_run_tail(claim->setup->run_id);
    shf_errand_list(&claim->errand, key_of(claim, tail), shards_listed_again);
    shf_free(tail);
}

static void look_at_next_record(struct shf_claim *claim);

static void judge(struct shf_claim *claim, const struct shf_run_state *state) {
    if (state->status == SHF_RUN_SUCCEEDED) {
        refuse(claim, "was published; build under a new run id");
    } else if (state->status == SHF_RUN_RUNNING && state->lease_expires_at_us > shf_clock_wall_us()) {
        char until[SHF_TIME_TEXT_BYTES], why[160];
        shf_time_format(state->lease_expires_at_us, until);
        (void)snprintf(
            why, sizeof why,
            "is under way: another writer holds its lease until %s; wait until that ends, or build under a new "
            "run id",
            until);
        refuse(claim, why);
    } else if (!resumes(claim)) {
        refuse(claim, "was used before: it has a run record; go on with it (resume), or build under a new run id");
    } else {
        if (!claim->found_record || state->started_at_us >= claim->record_started_us) { /* the newest is taken over */
            struct shf_store_request *request = &claim->errand.request;
            shf_free(claim->record_key);
            shf_free(claim->record_version);
            claim->record_key = claim->errand.key;
            claim->record_version = request->version;
            claim->errand.key = NULL;
            request->version = NULL;
            claim->record_started_us = state->started_at_us;
        }
        claim->found_record = true;
        look_at_next_record(claim);
    }
}

static void record_read(struct shf_errand *errand) {
    struct shf_claim *claim = claim_of(errand);
    struct shf_run_state state;
    if (errand->status == SHF_E_NOT_FOUND) {
        look_at_next_record(claim);
    } else if (errand->status) {
        fail_with_request(claim);
    } else if ((claim->status = shf_run_record_read(errand->request.body->data, errand->request.body->size, &state,
                                                    &claim->error)) != SHF_OK) {
        shf_error_prefix(&claim->error, "%s", errand->key);
        finish(claim);
    } else {
        judge(claim, &state);
    }
}

static void look_at_next_record(struct shf_claim *claim) {
    while (claim->name_at < claim->name_count &&
           !shf_run_record_is_of(claim->names[claim->name_at], claim->setup->run_id)) {
        claim->name_at++;
    }
    if (claim->name_at == claim->name_count) {
        records_over(claim);
        return;
    }
    struct shf_text tail = {0};
    shf_text_format(&tail, SHF_RUN_RECORDS_DIRECTORY "%srun.yaml", claim->names[claim->name_at++]);
    char *text = shf_text_take(&tail);
    shf_errand_get(&claim->errand, key_of(claim, text), SHF_LIMIT_RUN_RECORD_BYTES, record_read);
    shf_free(text);
}

static void records_listed(struct shf_errand *errand) {
    struct shf_claim *claim = claim_of(errand);
    if (errand->status && !is_empty(claim)) {
        fail_with_request(claim);
        return;
    }
    take_names(claim);
    look_at_next_record(claim);
}

/* ---- is the run id free? ---- */

static bool names_run(const char *name, const char *run_id) {
    int64_t published;
    const char *found;
    size_t size = strlen(name), found_size;
    if (!size || name[size - 1] != '/') return false;
    return shf_manifest_directory_parse(name, size - 1, &published, &found, &found_size) &&
           found_size == strlen(run_id) && !memcmp(found, run_id, found_size);
}

static void manifests_listed(struct shf_errand *errand) {
    struct shf_claim *claim = claim_of(errand);
    if (errand->status && !is_empty(claim)) {
        fail_with_request(claim);
        return;
    }
    for (size_t i = 0; i < errand->request.name_count && !claim->found_manifest; i++) {
        claim->found_manifest = names_run(errand->request.names[i], claim->setup->run_id);
    }
    if (claim->found_manifest && !resumes(claim)) {
        refuse(claim, "was used before: it has a manifest; build under a new run id");
    } else if (claim->setup->run_id_is_given) {
        shf_errand_list(&claim->errand, key_of(claim, SHF_RUN_RECORDS_DIRECTORY), records_listed);
    } else {
        finish(claim);
    }
}

static void shards_listed(struct shf_errand *errand) {
    struct shf_claim *claim = claim_of(errand);
    if (errand->status && !is_empty(claim)) {
        fail_with_request(claim);
    } else if (errand->request.name_count && !resumes(claim)) {
        refuse(claim, "was used before: it has shards; go on with it (resume), or build under a new run id");
    } else {
        shf_errand_list(&claim->errand, key_of(claim, SHF_MANIFESTS_DIRECTORY), manifests_listed);
    }
}

/* ---- _CURRENT ---- */

static void look_at_run(struct shf_claim *claim) {
    char *tail = shf_writer_run_tail(claim->setup->run_id);
    shf_errand_list(&claim->errand, key_of(claim, tail), shards_listed);
    shf_free(tail);
}

/* One that can not be read is replaced like another: that is how a broken prefix is mended. */
static shf_status read_current(struct shf_claim *claim, bool *is_ours) {
    struct shf_current current = {0};
    struct shf_error *problem = NULL;
    const struct shf_buf *body = claim->errand.request.body;
    shf_status status = shf_current_parse(body->data, body->size, &current, &problem);
    if (status) {
        shf_log_write(shf_rt_log(claim->setup->runtime), SHF_LOG_WARNING, "%s: %s; it will be replaced",
                      claim->setup->location.url, shf_error_message(problem));
        shf_error_free(problem);
        return status == SHF_E_NO_MEMORY ? status : SHF_OK;
    }
    *is_ours = !strcmp(current.run_id, claim->setup->run_id);
    claim->current_ref = current.manifest_ref;
    current.manifest_ref = NULL;
    shf_current_free(&current);
    return SHF_OK;
}

static void current_read(struct shf_errand *errand) {
    struct shf_claim *claim = claim_of(errand);
    bool is_ours = false;
    if (errand->status && errand->status != SHF_E_NOT_FOUND) {
        fail_with_request(claim);
        return;
    }
    shf_status status = SHF_OK;
    if (errand->status) {
        claim->current_version = shf_strdup("");
        if (!claim->current_version) status = SHF_E_NO_MEMORY;
    } else {
        status = read_current(claim, &is_ours);
        claim->current_version = errand->request.version; /* NULL: the store knows none; then nothing can be compared */
        errand->request.version = NULL;
    }
    if (status) {
        no_memory(claim);
    } else if (is_ours) {
        refuse(claim, "is what _CURRENT names: it was published; build under a new run id");
    } else {
        look_at_run(claim);
    }
}

void shf_claim_start(struct shf_claim *claim, const struct shf_cancel *cancel, int64_t deadline_ns) {
    claim->errand = (struct shf_errand){.store = claim->setup->store, .cancel = cancel, .deadline_ns = deadline_ns};
    shf_errand_get(&claim->errand, key_of(claim, claim->setup->location.pointer_name), SHF_LIMIT_CURRENT_BYTES,
                   current_read);
}
