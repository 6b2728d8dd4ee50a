/* The credentials of a store: fixed ones, or those of a command that are asked for again before they expire. */
#ifndef SHF_IO_CREDENTIALS_H
#define SHF_IO_CREDENTIALS_H

#include "io/s3_config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* One set, immutable, reference-counted: a request signs with the set it began with. */
struct shf_credentials {
    atomic_uint references;
    char *access_key_id, *secret_access_key, *session_token; /* token NULL = none */
    int64_t expires_at_us;                                   /* INT64_MAX = never */
};
void shf_credentials_release(struct shf_credentials *credentials);

struct shf_credential_source {
    const struct shf_s3_config *config; /* borrowed */
    pthread_mutex_t mutex;
    struct shf_credentials *current; /* under mutex */
};
shf_status shf_credential_source_init(struct shf_credential_source *source, const struct shf_s3_config *config,
                                      struct shf_error **error);
void shf_credential_source_fini(struct shf_credential_source *source);

/* The current set if it is good for some minutes more, else NULL: then ask a worker to renew. Any thread, does not wait. */
struct shf_credentials *shf_credentials_current(struct shf_credential_source *source);

/*
 * Runs the command (at most a minute) unless somebody renewed meanwhile. `refused` (or NULL) is a set that the server
 * called expired: it is not given again. Worker only. SHF_E_ACCESS naming the sources when there is nothing to run.
 */
shf_status shf_credentials_renew(struct shf_credential_source *source, const struct shf_credentials *refused,
                                 struct shf_credentials **out, struct shf_error **error);

/* Reads the JSON that a credential_process prints. For the above and for tests. */
shf_status shf_credentials_parse(const char *json, size_t size, struct shf_credentials **out, struct shf_error **error);

#endif
