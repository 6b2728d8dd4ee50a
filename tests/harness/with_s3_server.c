/*
 * Runs a command with an S3 server of its own, whose address and credentials are in its environment:
 *
 *     with_s3_server FOLDER BUCKET PREFIX PATTERN... -- COMMAND ARGUMENT...
 *
 * Entries of FOLDER that fit a pattern are put under BUCKET/PREFIX first. Ends as the command does; 77 when there is no
 * server or no folder (ctest counts that as skipped).
 */
#include "harness/s3_server.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool fits(const char *name, char **patterns, int count) {
    for (int i = 0; i < count; i++) {
        if (fnmatch(patterns[i], name, 0) == 0) return true;
    }
    return false;
}

static bool put_entries(struct s3_server *server, DIR *folder, char **arguments, int patterns) {
    struct dirent *entry;
    bool ok = s3_server_make_bucket(server, arguments[2]);
    while (ok && (entry = readdir(folder)) != NULL) {
        char path[4096], prefix[4096];
        if (entry->d_name[0] == '.' || !fits(entry->d_name, arguments + 4, patterns)) continue;
        (void)snprintf(path, sizeof path, "%s/%s", arguments[1], entry->d_name);
        (void)snprintf(prefix, sizeof prefix, "%s/%s", arguments[3], entry->d_name);
        ok = s3_server_put_folder(server, path, arguments[2], prefix);
    }
    return ok;
}

/* Exit code of the command, 1 when a signal ended it. */
static int run(char **command) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)execvp(command[0], command);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv) {
    struct s3_server server;
    int separator = 4;
    while (separator < argc && strcmp(argv[separator], "--") != 0) separator++;
    if (separator + 1 >= argc) {
        (void)fprintf(stderr, "usage: with_s3_server FOLDER BUCKET PREFIX PATTERN... -- COMMAND ARGUMENT...\n");
        return 2;
    }
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    DIR *folder = opendir(argv[1]);
    if (!folder) {
        (void)printf("SKIP: %s is not there\n", argv[1]);
        return S3_SERVER_SKIPPED;
    }
    int result = 1;
    if (s3_server_start(&server)) {
        s3_server_export(&server);
        if (put_entries(&server, folder, argv, separator - 4)) result = run(argv + separator + 1);
        s3_server_stop(&server);
    }
    (void)closedir(folder);
    return result;
}
