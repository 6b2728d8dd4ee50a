/* An S3 store that talks to a scripted server, with clocks that the test moves. */
#ifndef TESTS_UNIT_IO_S3_SUPPORT_H
#define TESTS_UNIT_IO_S3_SUPPORT_H

#include "scripted_server.h"
#include "support.h"

#include "shardyfusion/reader.h"

struct s3_test {
    char *home;
    shf_runtime *runtime;
    struct scripted_server *server;
    char *endpoint;
    shf_s3_options options; /* for the next s3_open; keys, endpoint and three attempts are set */
    struct shf_store *store;
};
/* The runtime and the server, and no store yet. Pauses between attempts are the shortest (0) unless s3_set_random. */
void s3_begin(struct s3_test *test, const struct scripted_answer *answers, size_t count);
void s3_open(struct s3_test *test);
/* s3_begin and s3_open. */
void s3_start(struct s3_test *test, const struct scripted_answer *answers, size_t count);
void s3_end(struct s3_test *test);

/* A GET of "key" of the store. */
shf_status s3_get(struct s3_test *test, struct support_call *call);
void s3_expect_body(const struct support_call *call, const char *body);
/* The value of a header of a request, the caller's to free; NULL when it is not there. */
char *s3_header(const char *request, const char *name);

/* Moves both clocks on. */
void s3_clock_add_ms(int64_t ms);
/* What the next pauses are made of: 0 = none, UINT32_MAX = the longest. */
void s3_set_random(uint32_t word);
void s3_sleep_ms(int ms);
/* Waits until the runtime has counted so many retries. */
void s3_wait_for_retries(struct s3_test *test, uint64_t retries);

#endif
