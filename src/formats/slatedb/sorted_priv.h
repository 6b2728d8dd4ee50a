/* What reading and writing the sorted form share. Private to formats. */
#ifndef SHF_FORMATS_SLATEDB_SORTED_PRIV_H
#define SHF_FORMATS_SLATEDB_SORTED_PRIV_H

#include "formats/slatedb/sorted.h"

#define SHF_SORTED_MAGIC UINT64_C(0x4c41574c53464853) /* "SHFSLWAL" */
#define SHF_SORTED_ENTRY 16u                          /* bytes of the index a row */
#define SHF_SORTED_ROW 16u                            /* bytes before a key */

#endif
