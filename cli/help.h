/* --help and --version. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/options.h"
#include "cli/out.h"

void cli_help_print(struct cli_out *out, enum cli_command command); /* CLI_NONE = of the program */
void cli_version_print(struct cli_out *out);

#endif
