/* The peer fixtures (snapshots that the Python project wrote), which not every machine has. */
#ifndef TESTS_SNAPSHOT_PEER_H
#define TESTS_SNAPSHOT_PEER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Folder of the peer cases, without trailing slash; NULL (and a line that says SKIP) when it is not here. */
const char *peer_root(void);

/* Calls `each` with every case whose name begins with `prefix`; returns how many. */
size_t peer_each(const char *prefix, void (*each)(const char *name, void *context), void *context);

/* Whole file, NUL-terminated, the caller's to free; NULL when it is not there. */
uint8_t *peer_read(const char *path, size_t *size);
/* The JSON file NAME/FILE of a case; fails the test when it can not be read. */
json_t *peer_json(const char *name, const char *file);

/* Decodes base64; the caller's to free. */
uint8_t *peer_base64(const char *text, size_t *size);

#endif
