/*
 *   GET _CURRENT
 *   LIST shards/run_id=R/                     there: only a resume may go on
 *   LIST manifests/                           does one name the run?
 *   given run id: LIST runs/, GET its records there: only a resume may go on, when they are over and not successful
 *   resume: LIST shards/run_id=R/db=N/ of each
 *
 * and once the run has a record of its own, given run id: LIST runs/, GET its records: is another one live?
 */
#include "writer/claim_priv.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "formats/manifest_build.h"
#include "snapshot/manifest_names.h"
#include "writer/run_record.h"

#include <stdio.h>
#include <string.h>

static void drop_names(struct shf_claim *claim) {
    for (size_t i = 0; i < claim->name_count; i++) shf_free(claim->names[i]);
    shf_free(claim->names);
    claim->names = NULL;
    claim->name_count = claim->name_at = 0;
}

void shf_claim_take_names(struct shf_claim *claim) {
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
    shf_free(claim->record_key);
    shf_free(claim->record_version);
    for (size_t i = 0; i < claim->record_count; i++) shf_free(claim->records[i]);
    shf_free(claim->records);
    shf_free(claim->old_shards);
    *claim = (struct shf_claim){0};
}

void shf_claim_finish(struct shf_claim *claim) {
    shf_errand_end(&claim->errand);
    drop_names(claim);
    claim->done(claim);
}

void shf_claim_fail(struct shf_claim *claim) {
    claim->status = claim->errand.status;
    claim->error = shf_errand_take_error(&claim->errand);
    shf_claim_finish(claim);
}

void shf_claim_refuse(struct shf_claim *claim, const char *why) {
    claim->status = shf_error_set(&claim->error, SHF_E_STATE, "run %s under %s %s", claim->setup->run_id,
                                  claim->setup->location.url, why);
    shf_claim_finish(claim);
}

void shf_claim_no_memory(struct shf_claim *claim) {
    claim->status = shf_error_set(&claim->error, SHF_E_NO_MEMORY, "no memory to look at %s", claim->setup->location.url);
    shf_claim_finish(claim);
}

char *shf_claim_key(const struct shf_claim *claim, const char *tail) {
    return tail ? shf_location_key(&claim->setup->location, tail) : NULL;
}

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
    struct shf_claim *claim = shf_claim_of(errand);
    if (errand->status && !shf_claim_is_absent(claim)) {
        shf_claim_fail(claim);
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
        shf_claim_finish(claim);
        return;
    }
    struct shf_text tail = {0};
    claim->old_shards[claim->old_count++] = shard;
    shf_text_format(&tail, SHF_SHARD_PREFIX "/run_id=%s/%s", claim->setup->run_id, claim->names[claim->name_at++]);
    char *text = shf_text_take(&tail);
    shf_errand_list(&claim->errand, shf_claim_key(claim, text), attempts_listed);
    shf_free(text);
}

static void shards_listed_again(struct shf_errand *errand) {
    struct shf_claim *claim = shf_claim_of(errand);
    if (errand->status && !shf_claim_is_absent(claim)) {
        shf_claim_fail(claim);
        return;
    }
    shf_claim_take_names(claim);
    claim->old_shards = shf_alloc_zero(claim->name_count, sizeof *claim->old_shards);
    if (claim->old_shards) {
        look_at_next_shard(claim);
    } else {
        shf_claim_no_memory(claim);
    }
}

void shf_claim_look_at_attempts(struct shf_claim *claim) {
    char *tail = shf_writer_run_tail(claim->setup->run_id);
    shf_errand_list(&claim->errand, shf_claim_key(claim, tail), shards_listed_again);
    shf_free(tail);
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
    struct shf_claim *claim = shf_claim_of(errand);
    if (errand->status && !shf_claim_is_absent(claim)) {
        shf_claim_fail(claim);
        return;
    }
    for (size_t i = 0; i < errand->request.name_count && !claim->found_manifest; i++) {
        claim->found_manifest = names_run(errand->request.names[i], claim->setup->run_id);
    }
    if (claim->found_manifest && !shf_claim_resumes(claim)) {
        shf_claim_refuse(claim, "was used before: it has a manifest; build under a new run id");
    } else if (claim->setup->run_id_is_given) {
        shf_claim_look_at_records(claim);
    } else {
        shf_claim_finish(claim);
    }
}

static void shards_listed(struct shf_errand *errand) {
    struct shf_claim *claim = shf_claim_of(errand);
    if (errand->status && !shf_claim_is_absent(claim)) {
        shf_claim_fail(claim);
    } else if (errand->request.name_count && !shf_claim_resumes(claim)) {
        shf_claim_refuse(claim, "was used before: it has shards; go on with it (resume), or build under a new run id");
    } else {
        shf_errand_list(&claim->errand, shf_claim_key(claim, SHF_MANIFESTS_DIRECTORY), manifests_listed);
    }
}

/* ---- _CURRENT ---- */

static void look_at_run(struct shf_claim *claim) {
    char *tail = shf_writer_run_tail(claim->setup->run_id);
    shf_errand_list(&claim->errand, shf_claim_key(claim, tail), shards_listed);
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
    shf_current_free(&current);
    return SHF_OK;
}

static void current_read(struct shf_errand *errand) {
    struct shf_claim *claim = shf_claim_of(errand);
    bool is_ours = false;
    if (errand->status && errand->status != SHF_E_NOT_FOUND) {
        shf_claim_fail(claim);
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
        shf_claim_no_memory(claim);
    } else if (is_ours) {
        shf_claim_refuse(claim, "is what _CURRENT names: it was published; build under a new run id");
    } else {
        look_at_run(claim);
    }
}

void shf_claim_start(struct shf_claim *claim, const struct shf_cancel *cancel, int64_t deadline_ns) {
    claim->errand = (struct shf_errand){.store = claim->setup->store, .cancel = cancel, .deadline_ns = deadline_ns};
    shf_errand_get(&claim->errand, shf_claim_key(claim, claim->setup->location.pointer_name), SHF_LIMIT_CURRENT_BYTES,
                   current_read);
}
