/*
 * A body on its way to a file: the loop thread collects, workers write (and hash) in order, so that the loop never
 * waits for the disk. Two buffers: while one is written the other fills; when both are full the transfer pauses.
 */
#ifndef SHF_IO_BODY_FILE_H
#define SHF_IO_BODY_FILE_H

#include "base/error.h"
#include "rt/runtime.h"

#include <openssl/evp.h>

#define SHF_BODY_BUFFER_BYTES (1u << 20)         /* each, where the budget has room */
#define SHF_BODY_SMALL_BUFFER_BYTES (256u << 10) /* else this; one piece of a transfer fits */

struct shf_body_file {
    shf_runtime *runtime;
    int fd;
    bool wants_sha256;                        /* beside MD5 */
    const char *url;                          /* for messages; borrowed */
    void (*idle)(struct shf_body_file *file); /* loop thread: a write ended (look at status) */

    uint8_t *buffers; /* two, one behind the other; NULL until the first attempt begins */
    size_t buffer_bytes;
    EVP_MD_CTX *md5, *sha256;
    uint32_t filling; /* 0 or 1 */
    size_t filled;
    bool writing;
    shf_status status;       /* of the writes so far; loop thread */
    struct shf_error *error; /* with status */

    struct { /* the worker's while it writes */
        struct shf_task task;
        bool restart;
        size_t write_size;
        uint64_t offset;
        shf_status write_status;
    };
};

/*
 * Begins (a retry: anew) at offset 0; what the file held is cut off. Zeroed struct with runtime, fd, url and idle set.
 * Not while writing. The first time it takes the buffers from the budget: SHF_E_NO_MEMORY.
 */
shf_status shf_body_file_begin(struct shf_body_file *file, struct shf_error **error);
/* Gives the buffers back. Not while writing. */
void shf_body_file_close(struct shf_body_file *file);
/* False: both buffers are full, try again after idle. size is at most SHF_BODY_SMALL_BUFFER_BYTES. */
bool shf_body_file_add(struct shf_body_file *file, const uint8_t *data, size_t size);
/* Starts writing what is left; true when there is nothing more to write (all is done). Else call again at idle. */
bool shf_body_file_flush(struct shf_body_file *file);
/* After the last flush: MD5 of all that was written. False when OpenSSL has none. */
bool shf_body_file_md5(struct shf_body_file *file, uint8_t out[16]);
/* The same with SHA-256, where it was asked for. */
bool shf_body_file_sha256(struct shf_body_file *file, uint8_t out[32]);

#endif
