/*
 * The record of a run, P/runs/<ts>_run_id=<run>_<32 hex>/run.yaml: who works on what, and until when others must keep
 * their hands off. Block YAML with sorted keys, as the Python project writes it. Pure.
 */
#ifndef SHF_WRITER_RUN_RECORD_H
#define SHF_WRITER_RUN_RECORD_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHF_LIMIT_RUN_RECORD_BYTES 65536u
#define SHF_RUN_RECORDS_DIRECTORY "runs/"
#define SHF_RUN_RECORD_TYPE "application/x-yaml"

enum shf_run_status { SHF_RUN_RUNNING = 1, SHF_RUN_SUCCEEDED, SHF_RUN_FAILED };

struct shf_run_record {
    enum shf_run_status status;
    const char *run_id, *s3_prefix;
    const char *manifest_ref, *error_type, *error_message; /* or NULL */
    int64_t started_at_us, updated_at_us, lease_expires_at_us;
};

/* *out: shf_free. SHF_E_NO_MEMORY. */
shf_status shf_run_record_write(const struct shf_run_record *record, char **out, size_t *size, struct shf_error **error);

/* Whether a name of a listing of runs/ ("<ts>_run_id=<run>_<32 hex>/") is that of a record of this run. */
bool shf_run_record_is_of(const char *name, const char *run_id);

/* What matters of a record that is there. */
struct shf_run_state {
    enum shf_run_status status;
    int64_t started_at_us, lease_expires_at_us;
};
/* SHF_E_STATE when it is none that can be read. */
shf_status shf_run_record_read(const void *data, size_t size, struct shf_run_state *out, struct shf_error **error);

#endif
