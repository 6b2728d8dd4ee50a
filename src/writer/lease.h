/*
 * The lease of a run: its record, written at the beginning, renewed every minute, ended at the end. Renewals replace only
 * what was written before (where the store can), so a record that somebody else changed is noticed: the lease is lost then,
 * and the run must stop. A refusal is looked into first: the record may be ours, written by a request whose answer was lost. A record that can not be written for another reason does not stop a run until the lease is over.
 * Loop thread only.
 */
#ifndef SHF_WRITER_LEASE_H
#define SHF_WRITER_LEASE_H

#include "rt/wait.h"
#include "snapshot/location.h"
#include "writer/errand.h"
#include "writer/run_record.h"

/* Replaced by tests. */
struct shf_lease_times {
    int64_t renew_ms, lease_ms;
};
extern struct shf_lease_times shf_lease_times;

struct shf_lease {
    /* in; borrowed */
    shf_runtime *runtime;
    struct shf_store *store;
    const struct shf_location *location;
    const char *run_id;
    void (*lost)(struct shf_lease *lease); /* look at status and error; once */

    /* state */
    char *key;     /* of the record; NULL: the run has none */
    char *version; /* of what was written last; NULL = unknown */
    int64_t started_at_us, expires_at_us;
    shf_status status; /* SHF_E_STATE when it was lost */
    struct shf_error *error;

    /* its own while it works */
    struct shf_errand errand;
    struct shf_wait wait;
    bool busy, ended, said_last, looked_back;
    void (*then_written)(struct shf_errand *errand);
    struct shf_run_record record;
    void (*then)(struct shf_lease *lease);
};

/* What a request may take; borrowed until it is over. */
struct shf_lease_patience {
    const struct shf_cancel *cancel;
    int64_t deadline_ns;
};

/*
 * Writes the record; `then` runs when that is done (whether it could be written or not, which is logged).
 */
void shf_lease_begin(struct shf_lease *lease, struct shf_lease_patience patience, void (*then)(struct shf_lease *lease));
/* Renews it now; `then` looks at lease->status. Ends a renewal that waits for its time. */
void shf_lease_renew(struct shf_lease *lease, struct shf_lease_patience patience, void (*then)(struct shf_lease *lease));
/* The last word: succeeded with manifest_ref, or failed with error_type and error_message. No-op without a record, or once lost. */
void shf_lease_end(struct shf_lease *lease, enum shf_run_status status, const char *manifest_ref,
                   const char *error_type, const char *error_message, void (*then)(struct shf_lease *lease));
/* After the end (or when it never began). */
void shf_lease_free(struct shf_lease *lease);

#endif
