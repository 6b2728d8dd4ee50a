/* What must hold of a prefix in files (or of an S3 server's own files), whoever was killed while writing to it. */
#ifndef SHF_TESTS_PUBLISHED_H
#define SHF_TESTS_PUBLISHED_H

#include <stdbool.h>

/*
 * Every manifest that is there names objects that are there, whole: of the size and with the digest that it tells. Digests
 * only of the newest, unless asked for all. Returns how many manifests there are. `url` is the prefix as writers name it.
 */
unsigned published_require_whole(const char *directory, const char *url, bool all_digests);
/* Names below a directory that begin so. */
unsigned published_count(const char *directory, const char *beginning);

#endif
