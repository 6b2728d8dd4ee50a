/* What the two kinds of deletion files share. */
#ifndef SHF_FORMATS_LANCE_DELETIONS_PRIV_H
#define SHF_FORMATS_LANCE_DELETIONS_PRIV_H

#include "formats/lance/deletions.h"

/* Marks a row; SHF_E_CORRUPT when one is not there, or was marked before. */
shf_status shf_lance_delete_row(struct shf_lance_deletions *deletions, uint64_t row, struct shf_error **error);

shf_status shf_lance_deletions_arrow(const uint8_t *data, size_t size, struct shf_lance_deletions *deletions,
                                     struct shf_error **error);
shf_status shf_lance_deletions_roaring(const uint8_t *data, size_t size, struct shf_lance_deletions *deletions,
                                       struct shf_error **error);

#endif
