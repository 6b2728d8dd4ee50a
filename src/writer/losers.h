/* Deleting what attempts left behind that did not become part of the snapshot: one request after the other, on the loop thread. */
#ifndef SHF_WRITER_LOSERS_H
#define SHF_WRITER_LOSERS_H

#include "writer/errand.h"
#include "writer/setup.h"

struct shf_loser {
    uint32_t shard, first, end; /* attempts first to end - 1 */
};

struct shf_losers {
    /* in */
    const struct shf_writer_setup *setup; /* borrowed */
    struct shf_loser *items;              /* owned */
    size_t count;
    const struct shf_cancel *cancel;
    int64_t deadline_ns;
    void (*done)(struct shf_losers *losers);

    /* out */
    uint32_t left; /* attempts that could not be deleted whole */

    /* its own while it works */
    struct shf_errand errand;
    size_t at;
    uint32_t attempt;
    bool is_sidecar, failed;
};

void shf_losers_delete(struct shf_losers *losers);
void shf_losers_free(struct shf_losers *losers);

#endif
