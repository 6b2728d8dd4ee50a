/* What the tests over s3:// share: a server and a proxy for the program, and what the sample snapshot must answer. */
#ifndef SHF_TESTS_S3_SUPPORT_H
#define SHF_TESTS_S3_SUPPORT_H

#include "harness/fault_proxy.h"
#include "harness/s3_server.h"
#include "integration/support.h"

#define S3_SAMPLE "tests/data/packages-1k"
#define S3_BUCKET "copies"
#define S3_SAMPLE_URL "s3://" S3_BUCKET "/elsewhere/packages" /* not where it was written to */
#define S3_SAMPLE_SHARDS 2

extern struct s3_server s3_server;
extern struct fault_proxy *s3_proxy;

/* Group set-up and tear-down: the server, the proxy, the sample in S3_BUCKET, what it must answer. */
int s3_group_begin(void **state);
int s3_group_end(void **state);

/* A test's: support_set_up and a directory, s3_cache, for the local cache; the proxy is healed. */
extern char *s3_cache;
int s3_begin(void **state);
int s3_end(void **state);

/* Options with the server's credentials; two attempts, so that a failure for good comes soon. */
shf_s3_options s3_options(const char *endpoint);

/* How an open ended. */
struct s3_opened {
    shf_reader *reader; /* NULL: the error follows */
    shf_status status;
    int retryable;
    int32_t http_status;
    int64_t shard;
    char message[1100], object[512];
    shf_open_info info;
    int64_t took_ms;
};
struct s3_opened s3_open(const char *url, const shf_s3_options *s3, uint32_t flags, int64_t timeout_ms);
shf_reader_options s3_reader_options(const char *url, const shf_s3_options *s3, uint32_t flags);

/* Reads what the sample must answer; s3_group_begin does it too. */
bool s3_sample_load(void);
void s3_sample_free(void);
/* Values of all recorded keys, hits of all recorded searches: false after a line that says what differs. */
bool s3_sample_is_exact(shf_reader *reader);

/* Of a cache directory, once nobody writes to it. */
struct s3_cache_files {
    int temporaries, shards, records, others;
};
struct s3_cache_files s3_count_cache(const char *directory);
/* What was cancelled is tidied up a little after the operation has ended; no longer than two seconds. */
void s3_assert_no_temporaries(void);

int64_t s3_now_ms(void);

#endif
