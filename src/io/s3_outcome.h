/* What an answer of S3, or the lack of one, means: success, a failure for good, or one worth another attempt. */
#ifndef SHF_IO_S3_OUTCOME_H
#define SHF_IO_S3_OUTCOME_H

#include "io/s3_priv.h"

struct shf_s3_outcome {
    shf_status status;
    struct shf_error *error; /* the caller's */
    bool is_retryable;
    bool is_expired;           /* the credentials are */
    bool is_condition_unknown; /* the server knows none on a PUT */
    char other_region[64];     /* where the bucket lies, when that is not where it was looked for; "" else */
    int64_t retry_after_ms;    /* 0 = not told */
};
void shf_s3_outcome_of(const struct shf_s3_call *call, struct shf_s3_outcome *out);

/*
 * Pause before the next attempt: random between 0 and 200 ms doubled for each attempt made, at most 4 s; at least what
 * Retry-After says.
 */
int64_t shf_s3_pause_ms(uint32_t attempts, int64_t retry_after_ms);
/* The header Retry-After: seconds, or a date. 0 when absent, malformed or past; at most five minutes. */
int64_t shf_s3_retry_after_ms(const char *header);

#endif
