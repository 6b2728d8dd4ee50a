/*
 * A body on its way out: out of memory, or of a file that workers read ahead, so that the loop never waits for the disk. Two
 * buffers: while one is sent the other is read; when none is ready the transfer pauses. And its digest, which a worker
 * computes before the first byte goes out.
 */
#ifndef SHF_IO_BODY_SOURCE_H
#define SHF_IO_BODY_SOURCE_H

#include "base/cancel.h"
#include "base/error.h"
#include "rt/runtime.h"

#define SHF_SOURCE_BUFFER_BYTES (1u << 20)         /* each, where the budget has room */
#define SHF_SOURCE_SMALL_BUFFER_BYTES (128u << 10) /* else this */
#define SHF_SOURCE_WAIT ((size_t)-1)               /* of shf_body_source_give */
#define SHF_SOURCE_FAILED ((size_t)-2)

struct shf_body_source {
    shf_runtime *runtime;
    const uint8_t *data; /* or NULL: bytes of a file */
    int fd;
    uint64_t offset, size;                        /* which bytes of data or file */
    const char *url;                              /* for messages; borrowed */
    const struct shf_cancel *cancel;              /* ends hashing early; or NULL */
    void (*idle)(struct shf_body_source *source); /* loop thread: a worker ended (look at status) */

    uint8_t *buffers; /* two, one behind the other; NULL for memory, and before begin */
    size_t buffer_bytes;
    size_t ready[2];       /* bytes in each buffer */
    uint32_t giving;       /* the buffer that goes out */
    uint32_t filling;      /* the buffer that is read next */
    size_t used;           /* of the one that goes out */
    uint64_t given, taken; /* bytes that went out; that were read */
    bool working;          /* a worker is at it */
    bool is_stale;         /* what it reads is of no use any more */
    shf_status status;     /* loop thread */
    struct shf_error *error;

    struct { /* the worker's while it works */
        struct shf_task task;
        uint32_t reading;
        size_t read_size;
        uint64_t read_offset;
        bool wants_sha256, wants_md5;
        shf_status work_status;
        struct shf_error *work_error;
        uint8_t sha256[32], md5[16];
    };
};

/* Zeroed struct with the fields up to idle set. Takes the buffers of a file from the budget: SHF_E_NO_MEMORY. */
shf_status shf_body_source_begin(struct shf_body_source *source, struct shf_error **error);
/* Gives the buffers back. Not while working. */
void shf_body_source_close(struct shf_body_source *source);

/* Computes the digests that are asked for; idle comes. Not while working, and before the first rewind. */
void shf_body_source_hash(struct shf_body_source *source, bool wants_sha256, bool wants_md5);
/* Once more from the first byte; a file is read ahead from now on. */
void shf_body_source_rewind(struct shf_body_source *source);
/* Up to `room` of the next bytes; 0 at the end. WAIT: again after idle. FAILED: status says why. */
size_t shf_body_source_give(struct shf_body_source *source, uint8_t *out, size_t room);

#endif
