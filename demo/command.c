#include "demo/command.h"

#include "demo/screen.h"

#include <errno.h>
#include <jansson.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define C demo_colours
#define LINE_WIDTH 84u

static void show(char **words) {
    const char *slash = strrchr(words[0], '/');
    const char *name = slash ? slash + 1 : words[0];
    printf("\n  %s$%s %s%s", C.dim, C.plain, C.strong, name);
    size_t used = strlen(name);
    for (char **word = words + 1; *word; word++) {
        /* A flag stays with what follows it. */
        size_t wanted = 1 + strlen(*word) + (word[0][0] == '-' && word[1] ? 1 + strlen(word[1]) : 0);
        if (used + wanted > LINE_WIDTH) {
            printf(" \\\n     ");
            used = 6;
        }
        printf(" %s", *word);
        used += 1 + strlen(*word);
    }
    printf("%s\n", C.plain);
    (void)fflush(stdout);
}

bool demo_command_start(struct demo_command *command, char **words) {
    posix_spawn_file_actions_t actions;
    *command = (struct demo_command){.output = tmpfile()};
    if (!command->output || posix_spawn_file_actions_init(&actions)) {
        fputs("no temporary file\n", stderr);
        return false;
    }
    show(words);
    int wrong = posix_spawn_file_actions_adddup2(&actions, fileno(command->output), STDOUT_FILENO);
    command->began = demo_now();
    if (!wrong) wrong = posix_spawn(&command->pid, words[0], &actions, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (!wrong) return true;
    fprintf(stderr, "%s: %s\n", words[0], strerror(wrong)); /* NOLINT(concurrency-mt-unsafe) */
    (void)fclose(command->output);
    return false;
}

static void wait_for(struct demo_command *command, int options) {
    if (!command->pid) return;
    pid_t ended = 0;
    do {
        ended = waitpid(command->pid, &command->result, options);
    } while (ended < 0 && errno == EINTR);
    if (!ended) return;
    if (ended < 0) command->result = -1;
    command->took = demo_now() - command->began;
    command->pid = 0;
}

bool demo_command_runs(struct demo_command *command) {
    wait_for(command, WNOHANG);
    return command->pid != 0;
}

static bool show_result(struct demo_command *command) {
    json_error_t why;
    double bytes = 0;
    rewind(command->output);
    json_t *summary = json_loadf(command->output, 0, &why);
    json_t *shards = json_object_get(summary, "shards"), *shard;
    size_t index;
    json_array_foreach(shards, index, shard) bytes += json_number_value(json_object_get(shard, "db_bytes"));
    command->rows = json_number_value(json_object_get(summary, "rows"));
    bool ok = command->rows > 0;
    if (ok) {
        printf("    %s%s%s rows in %zu shards of %.1f MB together, built and published in %s%s%s  %s(%s rows a "
               "second)%s\n",
               C.number, demo_count((unsigned long long)command->rows), C.plain, json_array_size(shards), bytes / 1e6,
               C.number, demo_time(command->took), C.plain, C.dim,
               demo_count((unsigned long long)(command->rows / command->took * 1e9)), C.plain);
    } else {
        fprintf(stderr, "the build printed no summary: %s\n", why.text);
    }
    json_decref(summary);
    return ok;
}

bool demo_command_end(struct demo_command *command) {
    wait_for(command, 0);
    bool ok = command->result == 0;
    if (!ok) fputs("the build failed\n", stderr);
    ok = ok && show_result(command);
    (void)fclose(command->output);
    return ok;
}
