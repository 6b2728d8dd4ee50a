/* The names of a listing while they are gathered and, where they are wanted, the versions of what they name. Pure. */
#ifndef SHF_IO_STORE_NAMES_H
#define SHF_IO_STORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed at first, but for wants_versions. */
struct shf_store_names {
    bool wants_versions;
    char **names, **versions; /* versions: NULL while there is no name, and where they are not wanted */
    size_t count, capacity;
};

/* Takes both, whatever comes of it; version may be NULL, and is NULL where none is wanted. False without memory. */
bool shf_store_names_add(struct shf_store_names *list, char *name, char *version);
/* By bytes; equal names stay in the order in which they were added where they have versions. False without memory. */
bool shf_store_names_sort(struct shf_store_names *list);
/* Of a sorted list: drops empty names, and doubles. The last version that was told of a name counts. */
void shf_store_names_drop_doubles(struct shf_store_names *list);

struct shf_store_request;
/* Now they are the request's. */
void shf_store_names_give(struct shf_store_names *list, struct shf_store_request *request);
void shf_store_names_free(struct shf_store_names *list);

#endif
