/* What an answer of S3, or the lack of one, means: success, a failure for good, or one worth another attempt. */
#ifndef SHF_IO_S3_OUTCOME_H
#define SHF_IO_S3_OUTCOME_H

#include "io/s3_priv.h"

struct shf_s3_outcome {
    shf_status status;
    struct shf_error *error; /* the caller's */
    bool is_retryable;
    bool is_expired;      /* the credentials are */
    bool is_other_region; /* call->http.bucket_region says where the bucket lies */
    int64_t retry_after_ms; /* 0 = not told */
};
void shf_s3_outcome_of(const struct shf_s3_call *call, struct shf_s3_outcome *out);

/* Pause before the next attempt: random between 0 and 200 ms doubled for each attempt made, at most 4 s; at least what Retry-After says. */
int64_t shf_s3_pause_ms(uint32_t attempts, int64_t retry_after_ms);

#endif
