/*
 * A real S3 server (versitygw) for one test program: a child on a free port of the loopback, with random credentials,
 * over an empty temporary directory. It dies with the process that started it.
 */
#ifndef SHF_TESTS_HARNESS_S3_SERVER_H
#define SHF_TESTS_HARNESS_S3_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a test program returns when there is no server: ctest counts it as skipped (SKIP_RETURN_CODE). */
#define S3_SERVER_SKIPPED 77
#define S3_SERVER_REGION "us-east-1"

struct s3_server {
    pid_t pid;
    uint16_t port;
    char endpoint[64]; /* http://127.0.0.1:PORT */
    char access_key_id[33], secret_access_key[65];
    char directory[64];
    void *curl; /* of the uploads; one thread at a time */
};

/* Whether SHF_VERSITYGW names a program; else prints one line that says SKIP. */
bool s3_server_is_there(void);

/* Main thread only: the server's life is tied to the thread that starts it. False after a line that says why. */
bool s3_server_start(struct s3_server *server);
void s3_server_stop(struct s3_server *server);

/*
 * Uploads, signed by libcurl and not by the code under test. Keys are raw bytes; folders keep their structure, names
 * that begin with "_" (the pointer) come last. False after a line that says why.
 */
bool s3_server_make_bucket(struct s3_server *server, const char *bucket);
bool s3_server_put(struct s3_server *server, const char *bucket, const char *key, const void *data, size_t size);
bool s3_server_put_folder(struct s3_server *server, const char *folder, const char *bucket, const char *prefix);
/* Straight into the server's folder, which is ten times as fast: for listings of many. Such objects have no ETag. */
bool s3_server_put_behind(struct s3_server *server, const char *bucket, const char *key, const void *data, size_t size);
bool s3_server_put_policy(struct s3_server *server, const char *bucket, const char *policy); /* JSON */
bool s3_server_delete(struct s3_server *server, const char *bucket, const char *key);

/* Sets AWS_ENDPOINT_URL and the credentials' variables, and unsets everything else that could lead elsewhere. */
void s3_server_export(const struct s3_server *server);
/* Unsets every variable that could give an endpoint, a region or credentials. */
void s3_server_clean_environment(void);

#endif
