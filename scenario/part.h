/*
 * A config that stands in a scenario may leave out what the scenario is not about: the service's name, the source, dead letters, a decoder (JSON then) and
 * the store (stdout then).
 */
#ifndef WEIR_SCENARIO_PART_H
#define WEIR_SCENARIO_PART_H

#include "config/loader.h"
#include "config/tree.h"

/* A copy of the map with what it lacks, in the loader's arena. NULL: no memory. */
const struct config_node *part_complete(struct config_loader *loader, const struct config_node *config) WARN_UNUSED;

#endif
