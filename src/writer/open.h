/* The operation that opens a writer. */
#ifndef SHF_WRITER_OPEN_H
#define SHF_WRITER_OPEN_H

#include "writer/writer.h"

struct shf_writer_open_op {
    struct shf_op op;          /* first */
    struct shf_writer *writer; /* until it is taken */
    struct shf_task task;
    struct shf_errand errand;
    shf_status status;
    struct shf_error *error;
};

#endif
