/*
 * The credentials of a store: fixed ones, or those of a command or file that are asked for again before they expire.
 * One worker at a time renews; requests wait for it in the HTTP client, no thread does.
 */
#ifndef SHF_IO_CREDENTIALS_H
#define SHF_IO_CREDENTIALS_H

#include "io/http_client.h"
#include "io/s3_config.h"
#include "io/store.h"

#include <stdatomic.h>
#include <stdint.h>

/* One set, immutable, reference-counted: a request signs with the set it began with. */
struct shf_credentials {
    atomic_uint references;
    char *access_key_id, *secret_access_key, *session_token; /* token NULL = none */
    int64_t expires_at_us;                                   /* INT64_MAX = never, as far as is known */
    int64_t obtained_at_us;
};
struct shf_credentials *shf_credentials_new(const char *id, const char *secret, const char *token,
                                            int64_t expires_at_us); /* NULL without memory */
struct shf_credentials *shf_credentials_retain(struct shf_credentials *credentials);
void shf_credentials_release(struct shf_credentials *credentials); /* NULL is fine */
/* Those of a caller, which do not expire as far as is known: SHF_E_INVALID when they can not be any, SHF_E_NO_MEMORY. */
shf_status shf_credentials_given(const char *id, const char *secret, const char *token, struct shf_credentials **out);

/* Reads the JSON that a credential_process prints. SHF_E_ACCESS, SHF_E_NO_MEMORY. */
shf_status shf_credentials_parse(const char *json, size_t size, struct shf_credentials **out, struct shf_error **error);

/* Asks for credentials. wake: renewed, or not; ask again. */
struct shf_credential_waiter {
    void (*wake)(struct shf_credential_waiter *waiter);
    struct shf_credential_waiter *next, **link; /* link NULL: does not wait */
    bool told;
    shf_status status; /* of what it waited for */
    struct shf_error *error;
};

struct shf_credential_source {
    const struct shf_s3_config *config; /* borrowed */
    struct shf_store *store;            /* retained while a worker renews */

    _Atomic(struct shf_credentials *) replacement; /* not taken over yet; any thread */
    struct {                                       /* loop thread */
        struct shf_credentials *current;
        bool is_replaced; /* what config names is not asked any more */
        struct shf_credential_waiter *waiters;
        bool renewing;
        int64_t next_try_us; /* of a renewal that is early */
        struct shf_http_stop_hook hook;
    };
    struct { /* the worker's while it renews */
        struct shf_task task;
        atomic_bool abandon; /* set by the loop thread */
        struct shf_credentials *fresh;
        shf_status status;
        struct shf_error *error;
    };
};
shf_status shf_credential_source_init(struct shf_credential_source *source, struct shf_store *store,
                                      const struct shf_s3_config *config, struct shf_error **error);
void shf_credential_source_fini(struct shf_credential_source *source);

/* From now on these (retained) are the current ones, whatever config says. Any thread; never waits. */
void shf_credentials_replace(struct shf_credential_source *source, struct shf_credentials *by);

/* Whether others than `used` were given since. Loop thread. */
bool shf_credentials_are_replaced(struct shf_credential_source *source, const struct shf_credentials *used);

enum shf_credential_answer { SHF_CREDENTIALS_READY, SHF_CREDENTIALS_WAIT, SHF_CREDENTIALS_FAILED };
/*
 * Loop thread. `refused` (or NULL) is a set that the server called expired: it is not given again. READY: *out is the
 * caller's to release. WAIT: wake comes, unless shf_credentials_forget does. FAILED: *status and *error.
 */
enum shf_credential_answer shf_credentials_get(struct shf_credential_source *source, struct shf_credential_waiter *waiter,
                                               const struct shf_credentials *refused, struct shf_credentials **out,
                                               shf_status *status, struct shf_error **error);
/* It asks no more: whatever it waited for or was told is dropped. */
void shf_credentials_forget(struct shf_credential_waiter *waiter);

#endif
