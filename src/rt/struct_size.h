/* Sized public structs: how an older or newer caller's struct meets ours. */
#ifndef SHF_RT_STRUCT_SIZE_H
#define SHF_RT_STRUCT_SIZE_H

#include "shardyfusion/types.h"

/* Reads an option struct: what both know is copied, what only we know is zero, what only the caller knows must be zero (else SHF_E_INVALID). */
shf_status shf_struct_copy(void *known, size_t known_size, const void *given);
/* Fills a result struct of the size that the caller set; what only the caller knows becomes zero. */
shf_status shf_struct_fill(void *given, const void *known, size_t known_size);

#endif
