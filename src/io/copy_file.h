/* Copying bytes of one open file into another: by reflink, else inside the kernel, else through a buffer. */
#ifndef SHF_IO_COPY_FILE_H
#define SHF_IO_COPY_FILE_H

#include "base/cancel.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct shf_copy {
    int from, to;
    uint64_t from_offset, size; /* put at offset 0 of `to` */
    bool is_whole;              /* all of `from`, and `to` is empty: may be a reflink */
    const char *to_name;        /* for messages; NULL = "a local file" */
    const struct shf_cancel *cancel;
    int64_t deadline_ns;
};

/* SHF_OK, or SHF_E_CANCELLED or SHF_E_DEADLINE: looked at between pieces of a copy. */
shf_status shf_copy_check(const struct shf_cancel *cancel, int64_t deadline_ns, const char *name,
                          struct shf_error **error);

/* `name` is the source's, for messages. *copied < size: the source ended early. */
shf_status shf_copy_run(const struct shf_copy *copy, const char *name, uint64_t *copied, struct shf_error **error);

struct stat;
/*
 * After reading: is the file still what it was before? Else SHF_E_STORE_RETRY, as a writer did not wait for us and the bytes
 * may be half old, half new. A file that can not be looked at is another failure: SHF_E_LOCAL. `did`: "read" or "copied".
 */
shf_status shf_copy_check_same(int fd, const struct stat *before, const char *name, const char *did,
                               struct shf_error **error);

#endif
