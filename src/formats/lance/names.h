/*
 * The names in a Lance dataset: `_versions/N.manifest`, `data/NAME.lance`, `_deletions/FRAGMENT-VERSION-ID.arrow`. A manifest
 * is foreign, so a name in one is taken only when it can name nothing but a file of its own folder. Pure.
 */
#ifndef SHF_FORMATS_LANCE_NAMES_H
#define SHF_FORMATS_LANCE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHF_LANCE_NAME_BYTES 255u

/*
 * Version that a manifest's name (without folders) says. Two schemes: 20 digits count down from 2^64-1, so that the latest is
 * listed first; fewer count up. False for any other name: those are to be ignored.
 */
bool shf_lance_version_of_name(const char *name, uint64_t *version);

/* The name with the greatest version of a listing; NULL when none is a manifest's. *version is set with it. */
const char *shf_lance_latest_name(const char *const *names, size_t count, uint64_t *version);

/* Letters, digits, '-', '_' and '.', not beginning with '.', 1..SHF_LANCE_NAME_BYTES bytes: no folder, no way out. */
bool shf_lance_name_is_plain(const void *name, size_t size);

#endif
