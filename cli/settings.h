/* Command line, environment and files put together: what this run is to do. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "cli/config.h"
#include "cli/options.h"

#include <shardyfusion/shardyfusion.h>

struct cli_settings {
    const struct cli_options *options;
    enum cli_format format;
    enum cli_encoding encoding;
    const char *null_repr;
    bool color;                /* of standard output */
    bool is_terminal;          /* standard output is one */
    shf_reader_options reader; /* points at s3 below, and into the files */
    shf_s3_options s3;
    uint64_t memory_budget;  /* 0 = the library's default */
    uint32_t worker_threads; /* 0 = the library's default */
    struct cli_config_file reader_file, credentials_file;
    char **option_texts; /* copies of --s3-option, cut at '=' */
    size_t option_text_count;
};

/*
 * NULL, or what is wrong. *usage says that the command line is at fault rather than a file. The settings are to be
 * freed either way; format and color are set even then, so that the error can be shown as wanted.
 */
char *cli_settings_load(const struct cli_options *options, struct cli_settings *settings, bool *usage);
void cli_settings_free(struct cli_settings *settings);

/* --color against NO_COLOR, TERM and what fd is. */
bool cli_use_color(const struct cli_options *options, int fd);

#endif
