/*
 * Before anything is written: what _CURRENT names, and whether the run id is free, or may be gone on with. A chain of
 * requests on the loop thread.
 */
#ifndef SHF_WRITER_CLAIM_H
#define SHF_WRITER_CLAIM_H

#include "writer/errand.h"
#include "writer/setup.h"

struct shf_claim {
    /* in */
    const struct shf_writer_setup *setup; /* borrowed */
    void (*done)(struct shf_claim *claim);

    /* out */
    shf_status status;
    struct shf_error *error;           /* the caller's */
    char *current_version;             /* of _CURRENT; "" = there is none; NULL = the store knows no versions */
    char *record_key, *record_version; /* of the newest record of the run that is gone on with, or NULL */
    uint32_t first_attempt;            /* the first that no shard of this run has */
    uint32_t *old_shards;              /* that have attempts below it */
    size_t old_count;
    bool keeps_attempts; /* a manifest names them: they must not be deleted */

    /* its own while it works */
    struct shf_errand errand;
    char **names; /* a listing that is worked through */
    size_t name_count, name_at;
    bool found_manifest;
    const char *own_record; /* looks for rivals: the key that is none */
    char **records;         /* keys of the records that were looked at before that */
    size_t record_count;
    int64_t record_started_us;
};

void shf_claim_start(struct shf_claim *claim, const struct shf_cancel *cancel, int64_t deadline_ns);
/*
 * Whether another writer began the run, or goes on with it, now that our record is written under own_record: SHF_E_STATE.
 * done runs again.
 */
void shf_claim_look_for_rivals(struct shf_claim *claim, const char *own_record);
void shf_claim_free(struct shf_claim *claim);

#endif
