/* The text of CREATE VIRTUAL TABLE ... USING vec0(...). Private to formats. */
#ifndef SHF_FORMATS_VEC0_DDL_H
#define SHF_FORMATS_VEC0_DDL_H

#include "formats/vec0.h"

/* Sets metric, dimension and chunk_slots. SHF_E_INDEX when malformed, SHF_E_UNSUPPORTED for shapes that are not read. */
shf_status shf_vec0_ddl_parse(const char *sql, struct shf_vec0 *out, struct shf_error **error);

#endif
