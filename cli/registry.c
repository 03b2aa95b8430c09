/* The lists are expanded twice: declarations, then entries. Each list has several kinds in it, so an array takes its own and leaves the others out. */
#include "cli/registry.h"

#define DECODER(symbol) extern const struct stage_type symbol;
#define ENRICHER(symbol) extern const struct stage_type symbol;
#define SOURCE(symbol) extern const struct source_type symbol;
#define STORE(symbol) extern const struct store_type symbol;
#include "stages/list.h"
#include "connectors/list.h"
#undef DECODER
#undef ENRICHER
#undef SOURCE
#undef STORE

#define DECODER(symbol) &symbol,
#define ENRICHER(symbol)
static const struct stage_type *const DECODERS[] = {
#include "stages/list.h"
    NULL};
#undef DECODER
#undef ENRICHER

#define DECODER(symbol)
#define ENRICHER(symbol) &symbol,
static const struct stage_type *const ENRICHERS[] = {
#include "stages/list.h"
    NULL};
#undef DECODER
#undef ENRICHER

#define SOURCE(symbol) &symbol,
#define STORE(symbol)
static const struct source_type *const SOURCES[] = {
#include "connectors/list.h"
    NULL};
#undef SOURCE
#undef STORE

#define SOURCE(symbol)
#define STORE(symbol) &symbol,
static const struct store_type *const STORES[] = {
#include "connectors/list.h"
    NULL};
#undef SOURCE
#undef STORE

const struct config_registry *registry(void)
{
    static const struct config_registry REGISTRY = {
        .decoders = DECODERS, .enrichers = ENRICHERS, .sources = SOURCES, .stores = STORES};
    return &REGISTRY;
}
