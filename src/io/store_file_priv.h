/*
 * The inside of the file store: store_file.c (requests, reading), store_file_list.c (listings), store_file_put.c (writing
 * and removing). Workers only.
 */
#ifndef SHF_IO_STORE_FILE_PRIV_H
#define SHF_IO_STORE_FILE_PRIV_H

#include "io/store.h"

/* Names that the store keeps for itself in the directories of objects; listings do not show them. */
#define SHF_FILE_OWN_NAMES ".shardy-"

/* What a worker has at hand while it answers. */
struct shf_file_answer {
    struct shf_store_request *request;
    char *url;        /* "file:///" + key, for messages */
    const char *path; /* the part of url that open takes */
    struct shf_error **error;
};

struct stat;
/* The version of an object: of other bytes it is another one. The caller's; NULL without memory. */
char *shf_file_version(const struct stat *found);

shf_status shf_file_list(const struct shf_file_answer *answer);
shf_status shf_file_put(const struct shf_file_answer *answer);
shf_status shf_file_delete(const struct shf_file_answer *answer);

#endif
