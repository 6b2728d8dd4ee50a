/* The records of a run: of what was before, and, once ours is written, of rivals. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "formats/manifest_build.h"
#include "writer/claim_priv.h"
#include "writer/run_record.h"

#include <stdio.h>
#include <string.h>

static void look_at_next(struct shf_claim *claim);

/* ---- rivals ---- */

static bool is_known(const struct shf_claim *claim, const char *key) {
    for (size_t i = 0; i < claim->record_count; i++) {
        if (!strcmp(claim->records[i], key)) return true;
    }
    return false;
}

/* A record that was over before is none; one that came meanwhile is, even if it is over: its objects are not known. */
static void judge_rival(struct shf_claim *claim, bool is_live) {
    if (is_live || !is_known(claim, claim->errand.key)) {
        shf_claim_refuse(claim,
                         "is under way: another writer began it at the same time; take another run id, or try again");
    } else {
        look_at_next(claim);
    }
}

/* ---- what was before ---- */

static void refuse_live(struct shf_claim *claim, const struct shf_run_state *state) {
    char until[SHF_TIME_TEXT_BYTES], why[160];
    shf_time_format(state->lease_expires_at_us, until);
    (void)snprintf(
        why, sizeof why,
        "is under way: another writer holds its lease until %s; wait until that ends, or build under a new run id",
        until);
    shf_claim_refuse(claim, why);
}

/* One that is over, and may be gone on with. The newest will be fenced. */
static void take_record(struct shf_claim *claim, const struct shf_run_state *state) {
    struct shf_store_request *request = &claim->errand.request;
    char *key = shf_strdup(claim->errand.key);
    char **grown = shf_realloc_array(claim->records, claim->record_count + 1, sizeof *grown);
    if (grown) claim->records = grown;
    if (!key || !grown) {
        shf_free(key);
        shf_claim_no_memory(claim);
        return;
    }
    claim->records[claim->record_count++] = key;
    if (!claim->record_key || state->started_at_us >= claim->record_started_us) {
        shf_free(claim->record_key);
        shf_free(claim->record_version);
        claim->record_key = claim->errand.key;
        claim->record_version = request->version;
        claim->errand.key = NULL;
        request->version = NULL;
        claim->record_started_us = state->started_at_us;
    }
    look_at_next(claim);
}

static void judge(struct shf_claim *claim, const struct shf_run_state *state) {
    bool is_live = state->status == SHF_RUN_RUNNING && state->lease_expires_at_us > shf_clock_wall_us();
    if (claim->own_record) {
        judge_rival(claim, is_live);
    } else if (state->status == SHF_RUN_SUCCEEDED) {
        shf_claim_refuse(claim, "was published; build under a new run id");
    } else if (is_live) {
        refuse_live(claim, state);
    } else if (!shf_claim_resumes(claim)) {
        shf_claim_refuse(claim,
                         "was used before: it has a run record; go on with it (resume), or build under a new run id");
    } else {
        take_record(claim, state);
    }
}

/* ---- one after the other ---- */

static void read_one(struct shf_errand *errand) {
    struct shf_claim *claim = shf_claim_of(errand);
    struct shf_run_state state;
    if (errand->status == SHF_E_NOT_FOUND) { /* a writer was killed; or it is written just now, and will see ours */
        look_at_next(claim);
    } else if (errand->status) {
        shf_claim_fail(claim);
    } else if ((claim->status = shf_run_record_read(errand->request.body->data, errand->request.body->size, &state,
                                                    &claim->error)) != SHF_OK) {
        shf_error_prefix(&claim->error, "%s", errand->key);
        shf_claim_finish(claim);
    } else {
        judge(claim, &state);
    }
}

static void all_seen(struct shf_claim *claim) {
    if (!shf_claim_resumes(claim) || claim->own_record) {
        shf_claim_finish(claim);
    } else if (claim->found_manifest && !claim->record_key) {
        shf_claim_refuse(claim,
                         "has a manifest, and no record says that it was not published; build under a new run id");
    } else {
        claim->keeps_attempts = claim->found_manifest;
        shf_claim_look_at_attempts(claim);
    }
}

static bool is_of_interest(const struct shf_claim *claim, const char *name) {
    return shf_run_record_is_of(name, claim->setup->run_id) && !(claim->own_record && strstr(claim->own_record, name));
}

static void look_at_next(struct shf_claim *claim) {
    while (claim->name_at < claim->name_count && !is_of_interest(claim, claim->names[claim->name_at])) claim->name_at++;
    if (claim->name_at == claim->name_count) {
        all_seen(claim);
        return;
    }
    struct shf_text tail = {0};
    shf_text_format(&tail, SHF_RUN_RECORDS_DIRECTORY "%srun.yaml", claim->names[claim->name_at++]);
    char *text = shf_text_take(&tail);
    shf_errand_get(&claim->errand, shf_claim_key(claim, text), SHF_LIMIT_RUN_RECORD_BYTES, read_one);
    shf_free(text);
}

static void listed(struct shf_errand *errand) {
    struct shf_claim *claim = shf_claim_of(errand);
    if (errand->status && !shf_claim_is_absent(claim)) {
        shf_claim_fail(claim);
        return;
    }
    shf_claim_take_names(claim);
    look_at_next(claim);
}

void shf_claim_look_at_records(struct shf_claim *claim) {
    shf_errand_list(&claim->errand, shf_claim_key(claim, SHF_RUN_RECORDS_DIRECTORY), listed);
}

void shf_claim_look_for_rivals(struct shf_claim *claim, const char *own_record) {
    claim->own_record = own_record;
    shf_claim_look_at_records(claim);
}
