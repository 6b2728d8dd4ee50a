/* Damage to a SQLite file, with an eye for what its bytes mean. */
#ifndef SHF_TESTS_FORMATS_SQLITE_MUTATE_H
#define SHF_TESTS_FORMATS_SQLITE_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* One to four changes of a file with this page size; it may become shorter, or longer by up to SQLITE_MUTATE_ROOM. */
#define SQLITE_MUTATE_ROOM 600u
void sqlite_mutate(uint64_t *seed, uint8_t *bytes, size_t *size, size_t page_size);

#endif
