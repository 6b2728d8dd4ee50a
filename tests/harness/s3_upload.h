/* The signed requests that the harness sends itself; used by s3_server.c. */
#ifndef SHF_TESTS_HARNESS_S3_UPLOAD_H
#define SHF_TESTS_HARNESS_S3_UPLOAD_H

#include "harness/s3_server.h"

/* Whether it lists its buckets for our credentials. */
bool s3_server_answers(struct s3_server *server);
void s3_server_end_uploads(struct s3_server *server);

#endif
