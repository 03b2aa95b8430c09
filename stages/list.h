/* The stages that there are: one line each, expanded twice (a declaration, an entry in the registry). */
DECODER(decode_stage)
ENRICHER(set_stage)
ENRICHER(rename_stage)
ENRICHER(remove_stage)
ENRICHER(lookup_stage)
ENRICHER(filter_stage)
