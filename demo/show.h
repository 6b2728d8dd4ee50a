/* What the demo shows. */
#ifndef DEMO_SHOW_H
#define DEMO_SHOW_H

#include "demo/measure.h"

void demo_show_open(const shf_op *open_op, double took);
void demo_show_refresh(const shf_open_info *info, double took);
bool demo_show_lookup(struct demo_run *run, const char *key);
bool demo_show_like(struct demo_run *run, const char *id, uint32_t count);
bool demo_show_question(struct demo_run *run, const char *text, uint32_t count);
void demo_show_totals(const struct demo_run *run);

#endif
