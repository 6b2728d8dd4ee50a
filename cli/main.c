/* shardy: the command line of libshardyfusion, written against its public header alone. */
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/notice.h"
#include "cli/options.h"
#include "cli/session.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void run_command(struct cli_session *session) {
    const struct cli_options *o = session->settings->options;
    switch (o->command) {
    case CLI_GET: cli_command_get(session); break;
    case CLI_MULTIGET: (o->flat ? cli_command_flat : cli_command_multiget)(session); break;
    case CLI_SEARCH: (o->queries ? cli_command_queries : cli_command_search)(session); break;
    case CLI_INFO: cli_command_info(session); break;
    case CLI_SHARDS: cli_command_shards(session); break;
    case CLI_ROUTE: cli_command_route(session); break;
    case CLI_HEALTH: cli_command_health(session); break;
    case CLI_HISTORY: cli_command_history(session); break;
    case CLI_BUILD: cli_command_build(session); break;
    case CLI_RECALL: cli_command_recall(session); break;
    default: break; /* the options were checked */
    }
}

/* Wrong usage is told in words whatever the output format: nobody parses it. */
static int usage_error(const struct cli_options *options, char *message) {
    struct cli_out err;
    cli_out_init(&err, STDERR_FILENO);
    cli_print_error(&err, CLI_TEXT, cli_use_color(options, STDERR_FILENO), NULL, NULL, message);
    bool known = options->command != CLI_NONE;
    cli_out_format(&err, "try: shardy %s%s--help\n", known ? options->command_name : "", known ? " " : "");
    cli_out_flush(&err);
    cli_out_free(&err);
    free(message);
    return CLI_EXIT_USAGE;
}

static int settings_error(const struct cli_settings *settings, char *message) {
    struct cli_out err;
    bool color = cli_use_color(settings->options, STDERR_FILENO);
    cli_out_init(&err, STDERR_FILENO);
    cli_print_error(&err, settings->format, color, settings->options->command_name, NULL, message);
    cli_out_free(&err);
    free(message);
    return settings->options->command == CLI_HEALTH ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
}

static int show(const struct cli_options *options) {
    struct cli_out out;
    cli_out_init(&out, STDOUT_FILENO);
    if (options->version)
        cli_version_print(&out);
    else
        cli_help_print(&out, options->command);
    int code = cli_out_flush(&out) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
    cli_out_free(&out);
    return code;
}

static int run(const struct cli_options *options) {
    struct cli_settings settings;
    struct cli_session session;
    bool usage;
    int code;
    cli_notice_setup(options->quiet, options->verbose, cli_use_color(options, STDERR_FILENO));
    char *error = cli_settings_load(options, &settings, &usage);
    if (error) {
        code = usage ? usage_error(options, error) : settings_error(&settings, error);
    } else {
        cli_interrupt_setup();
        if (cli_session_begin(&session, &settings)) run_command(&session);
        code = cli_session_end(&session);
    }
    cli_settings_free(&settings);
    return code;
}

int main(int argc, char **argv) {
    struct cli_options options;
    int code;
    /* For the width of characters; numbers keep their point. */
    setlocale(LC_CTYPE, "C.UTF-8"); /* NOLINT(concurrency-mt-unsafe): no thread is there yet */
    char *error = cli_options_parse(argc, argv, &options);
    if (error)
        code = usage_error(&options, error);
    else if (options.help || options.version)
        code = show(&options);
    else
        code = run(&options);
    cli_options_free(&options);
    return code;
}
