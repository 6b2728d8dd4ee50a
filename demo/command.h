/* A command that the demo shows and runs: shardy build, whose result is a line of JSON. */
#ifndef DEMO_COMMAND_H
#define DEMO_COMMAND_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct demo_command {
    FILE *output;
    pid_t pid; /* 0 = it has ended */
    int result;
    double began, took; /* nanoseconds */
    double rows;        /* that it built */
};

/* Prints it as one would type it, and starts it. False, with a message, when it does not start. */
bool demo_command_start(struct demo_command *command, char **words);
/* Whether it still runs; never waits. */
bool demo_command_runs(struct demo_command *command);
/* Waits for its end, and prints what it built. False, with a message, when it failed. */
bool demo_command_end(struct demo_command *command);

#endif
