/* One profile of the AWS shared config and credentials files. Reading blocks on files: workers only. */
#ifndef SHF_IO_AWS_PROFILE_H
#define SHF_IO_AWS_PROFILE_H

#include "base/error.h"

#include <stdint.h>

struct shf_aws_profile {
    char *name;
    char *access_key_id, *secret_access_key, *session_token;
    char *region, *endpoint_url, *credential_process;
    uint32_t addressing; /* SHF_ADDRESSING_* */
};

/*
 * name NULL = AWS_PROFILE, else "default". Files: AWS_CONFIG_FILE, else ~/.aws/config; AWS_SHARED_CREDENTIALS_FILE, else
 * ~/.aws/credentials (which wins where both say something). A file that is not there is empty; a profile that was asked
 * for by name and is in neither is SHF_E_INVALID.
 */
shf_status shf_aws_profile_read(const char *name, struct shf_aws_profile *out, struct shf_error **error);
void shf_aws_profile_free(struct shf_aws_profile *profile);

/* The text of one file, for the reader above and for tests: is_config says how sections are named ("profile NAME"). */
shf_status shf_aws_profile_parse(const char *text, int is_config, struct shf_aws_profile *profile, int *found,
                                 struct shf_error **error);

#endif
