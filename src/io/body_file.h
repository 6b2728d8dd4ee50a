/*
 * A body on its way to a file: the loop thread collects, workers write (and hash) in order, so that the loop never
 * waits for the disk. Two buffers: while one is written the other fills; when both are full the transfer pauses.
 */
#ifndef SHF_IO_BODY_FILE_H
#define SHF_IO_BODY_FILE_H

#include "base/error.h"
#include "rt/runtime.h"

#include <openssl/evp.h>

#define SHF_BODY_BUFFER_BYTES (1u << 20)

struct shf_body_file {
    shf_runtime *runtime;
    int fd;
    const char *url; /* for messages; borrowed */
    void (*idle)(struct shf_body_file *file); /* loop thread: a write ended (look at status) */

    uint8_t *buffers; /* two */
    uint32_t filling; /* 0 or 1 */
    size_t filled;
    bool writing, restart;
    size_t write_size;
    uint64_t offset;
    EVP_MD_CTX *md5;
    struct shf_task task;
    shf_status write_status; /* the worker's, while it writes; with error */
    struct shf_error *error;
    shf_status status; /* of the writes so far; loop thread */
};

/* Charges the budget. Zeroed struct with runtime, fd, url and idle set. */
shf_status shf_body_file_open(struct shf_body_file *file, struct shf_error **error);
/* Not while writing. */
void shf_body_file_close(struct shf_body_file *file);
/* Begins anew at offset 0 (a retry). Not while writing. */
void shf_body_file_restart(struct shf_body_file *file);
/* False: both buffers are full, try again after idle. size is at most SHF_BODY_BUFFER_BYTES. */
bool shf_body_file_add(struct shf_body_file *file, const uint8_t *data, size_t size);
/* Starts writing what is left; true when there is nothing more to write (all is done). Else call again at idle. */
bool shf_body_file_flush(struct shf_body_file *file);
bool shf_body_file_md5(struct shf_body_file *file, uint8_t out[16]);

#endif
