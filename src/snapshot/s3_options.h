/* Copies of the public S3 options, for those who keep them. */
#ifndef SHF_SNAPSHOT_S3_OPTIONS_H
#define SHF_SNAPSHOT_S3_OPTIONS_H

#include "shardyfusion/reader.h"

/* Strings and all. SHF_E_INVALID, SHF_E_NO_MEMORY: nothing is held then, and *out is zero. */
shf_status shf_s3_options_copy(const shf_s3_options *options, shf_s3_options *out);
/* Secrets are overwritten first. */
void shf_s3_options_free(shf_s3_options *options);

#endif
