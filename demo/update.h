/* A reader that goes on while another program publishes the next snapshot. */
#ifndef DEMO_UPDATE_H
#define DEMO_UPDATE_H

#include "demo/measure.h"

/* words: the command that builds the next edition. False, with a message, when something is not as it should be. */
bool demo_update(struct demo_run *run, const char *url, const char *cache, char **words);

#endif
