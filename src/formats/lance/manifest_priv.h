/* What the two halves of parsing a manifest share. */
#ifndef SHF_FORMATS_LANCE_MANIFEST_PRIV_H
#define SHF_FORMATS_LANCE_MANIFEST_PRIV_H

#include "formats/lance/manifest.h"
#include "formats/lance/protobuf.h"

#define SHF_LANCE_NO_FIELD INT32_MIN

/* Field ids of the three columns; SHF_LANCE_NO_FIELD when there is none. */
struct shf_lance_schema {
    int32_t ids[SHF_LANCE_FIELDS];
};

/* A DataFragment. On failure *out holds what there is to free. */
shf_status shf_lance_fragment_parse(const struct shf_lance_schema *schema, struct shf_protobuf message,
                                    struct shf_lance_fragment *out, struct shf_error **error);

#endif
