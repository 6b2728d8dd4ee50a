/*
 * A store that wraps another one and misbehaves as scripted, for tests: the n-th request of a verb fails, waits, comes
 * short or wrong. A request that no rule names is passed on untouched.
 */
#ifndef SHF_IO_STORE_FAULT_H
#define SHF_IO_STORE_FAULT_H

#include "io/store.h"

#define SHF_FAULT_RULES 64u

enum shf_fault_kind {
    SHF_FAULT_FAIL = 1,   /* fails with `status` and `http_status`; the inner store is not asked */
    SHF_FAULT_DELAY,      /* waits `amount` ms (at most until the deadline), then is passed on */
    SHF_FAULT_STALL,      /* waits for its token, its deadline, or shf_store_fault_resume (which fails it) */
    SHF_FAULT_TRUNCATE,   /* the body of a GET has only its first `amount` bytes; the object's size is told as it is */
    SHF_FAULT_EXTRA,      /* the body of a GET has `amount` bytes 0xee more */
    SHF_FAULT_FLIP,       /* bit 0 of byte `amount` of the body of a GET is turned */
    SHF_FAULT_WRONG_ETAG, /* the answer carries another ETag */
    SHF_FAULT_LOSE        /* the inner store is asked, but the answer is lost: fails with `status` and `http_status` */
};

struct shf_fault_rule {
    enum shf_store_verb verb; /* 0 = any */
    uint64_t first;           /* 1 = the first request that this rule looks at (of its verb) */
    uint64_t count;           /* how many from there on; 0 = all */
    enum shf_fault_kind kind;
    shf_status status;
    int32_t http_status;
    uint64_t amount;
};

/* Retains `inner`. */
shf_status shf_store_fault_new(struct shf_store *inner, struct shf_store **out, struct shf_error **error);
/* Rules are tried in the order added; the first that fits acts. False when there are SHF_FAULT_RULES. Any thread. */
bool shf_store_fault_add(struct shf_store *store, const struct shf_fault_rule *rule);
/* Forgets the rules and the counts. */
void shf_store_fault_reset(struct shf_store *store);
/* Fails every stalled request as SHF_E_STORE_RETRY, soon. */
void shf_store_fault_resume(struct shf_store *store);
/* Requests seen since the last reset; verb 0 = all. */
uint64_t shf_store_fault_seen(struct shf_store *store, enum shf_store_verb verb);

#endif
