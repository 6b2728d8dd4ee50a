/*
 * The newest manifest of a database (SlateDB, Lance): its directory is listed, a name chosen, the object read into memory.
 * When it is gone meanwhile (a writer collects garbage), once more.
 */
#ifndef SHF_READER_SHARD_NEWEST_H
#define SHF_READER_SHARD_NEWEST_H

#include "io/store.h"

struct shf_shard;

struct shf_newest {
    /* in; borrowed until done */
    const struct shf_shard *shard;
    char *directory; /* key with a slash at the end; owned, as from shf_alloc; NULL fails */
    uint64_t max_bytes;
    const char *(*choose)(char *const *names, size_t count); /* one of them, or NULL */
    const struct shf_cancel *cancel;
    void (*done)(struct shf_newest *newest); /* once, any thread */

    /* out */
    shf_status status;
    struct shf_error *error; /* names the object; the receiver's */
    char *name;              /* in the directory; NULL with SHF_OK: there is none */
    struct shf_buf *body;
    char *version; /* what the store calls this content; "" where it says nothing */

    /* own */
    char *key;
    struct shf_store_request request;
    struct shf_task task;
    bool asked_again;
};

void shf_newest_start(struct shf_newest *newest); /* any thread */
/* Releases everything that it still has. Not while it is under way. */
void shf_newest_clear(struct shf_newest *newest);

#endif
