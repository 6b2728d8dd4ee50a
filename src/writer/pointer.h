/*
 * Writing _CURRENT: only instead of what was there when the run began, where the store can compare. A refusal, and an
 * answer that did not come, are read back before they count. Loop thread only.
 */
#ifndef SHF_WRITER_POINTER_H
#define SHF_WRITER_POINTER_H

#include "rt/wait.h"
#include "snapshot/location.h"
#include "writer/errand.h"

struct shf_pointer {
    /* in; borrowed until done */
    shf_runtime *runtime;
    struct shf_store *store;
    const struct shf_location *location;
    const char *manifest_ref, *run_id;
    const char *if_version; /* of what was there; "" = nothing; NULL = unknown: replaced whatever it is */
    const struct shf_cancel *cancel;
    int64_t deadline_ns;
    void (*done)(struct shf_pointer *pointer);

    /* out */
    shf_status status;       /* SHF_E_STATE: another writer published meanwhile */
    struct shf_error *error; /* the caller's */
    bool is_unconditional;
    bool is_refused; /* it was not written, and no request that is still on its way can write it */

    /* its own while it works */
    struct shf_errand errand;
    struct shf_wait pause;
    uint32_t tries;
    bool is_known;         /* what is there was read after a failure */
    bool was_sent_again;   /* a request before the one that was answered may have written it */
    shf_status put_status; /* of the last try */
    struct shf_error *put_error;
};

void shf_pointer_write(struct shf_pointer *pointer);

#endif
