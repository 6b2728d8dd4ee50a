/*
 * One store request at a time, for chains of steps on the loop thread: what was asked for is owned until the next errand
 * or shf_errand_end, and `then` runs on the loop thread with the answer in `request`.
 */
#ifndef SHF_WRITER_ERRAND_H
#define SHF_WRITER_ERRAND_H

#include "io/store.h"

struct shf_errand {
    struct shf_store *store;         /* borrowed */
    const struct shf_cancel *cancel; /* or NULL */
    int64_t deadline_ns;
    struct shf_store_request request;
    char *key;  /* owned */
    char *text; /* owned: the body of a PUT */
    void (*then)(struct shf_errand *errand);
    shf_status status; /* of the request, or why it was not made */
};

/*
 * Each takes `key` over (NULL = there was no memory for it: `then` gets SHF_E_NO_MEMORY). errand->status and
 * errand->request.error are the outcome.
 */
void shf_errand_get(struct shf_errand *errand, char *key, uint64_t max_bytes, void (*then)(struct shf_errand *));
void shf_errand_list(struct shf_errand *errand, char *key, void (*then)(struct shf_errand *));
void shf_errand_delete(struct shf_errand *errand, char *key, void (*then)(struct shf_errand *));
/* `text` is taken over as well (NULL: as for the key). if_version is borrowed until then. */
void shf_errand_put(struct shf_errand *errand, char *key, char *text, uint64_t size, const char *content_type,
                    const char *if_version, void (*then)(struct shf_errand *));
/* The first `size` bytes of a file; what it points at is borrowed until then. path: the store may rename it away. */
void shf_errand_put_file(struct shf_errand *errand, char *key, int fd, const char *path, uint64_t size,
                         const uint8_t *sha256, const char *content_type, void (*then)(struct shf_errand *));
/* The error of the last request, the caller's. */
struct shf_error *shf_errand_take_error(struct shf_errand *errand);
void shf_errand_end(struct shf_errand *errand);

#endif
