/* Is what came of a trial what its scenario expects? */
#ifndef WEIR_SCENARIO_JUDGE_H
#define WEIR_SCENARIO_JUDGE_H

#include "scenario/findings.h"
#include "scenario/trial.h"

/* Tells everything that is not as expected; nothing: the scenario passed. */
void judge(struct trial *trial, struct findings *findings);

#endif
