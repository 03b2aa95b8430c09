/* What a scenario's names mean in its config: stores, stages, steps; and the records' places. */
#include <stdio.h>
#include <string.h>

#include "config/found.h"
#include "scenario/suite_state.h"

enum { NAMES_MAX = 256, NAME_SIZE_MAX = 160, PARTITIONS_MAX = 1024 };

/* -- stores -- */

static const char *const *store_names(const struct config *config, const char **names)
{
    uint32_t count = 0;
    for (; count < config->store_count && count < NAMES_MAX; count++)
        names[count] = config->stores[count].name;
    names[count] = NULL;
    return names;
}

/* -1: no such store. */
static int find_store(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->store_count; i++) {
        if (strcmp(config->stores[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static void report_name(struct config_loader *loader, const struct config_node *node, const char *what,
                        const char *const *names)
{
    char choices[512], hint[CONFIG_HINT_SIZE];
    config_error_key(loader->report, node, "expected the name of %s (%s), found `%.64s`%s", what,
                     found_choices(names, choices, sizeof choices), node->key, config_hint_key(node->key, names, hint));
}

static bool declare_stores(struct config_loader *loader, const struct config_map *declared, bool lenient,
                           struct scenario *scenario)
{
    const char *names[NAMES_MAX + 1];
    bool good = true;
    for (uint32_t i = 0; i < declared->count; i++) {
        int at = find_store(scenario->config, declared->keys[i]);
        if (at >= 0) {
            scenario->stores[at].answers = &((const struct config_list *)declared->values)[i];
        } else if (!lenient) {
            report_name(loader, declared->nodes[i], "a store", store_names(scenario->config, names));
            good = false;
        }
    }
    return good;
}

static bool expect_of_store(struct config_loader *loader, const struct config_node *node, struct scenario_store *store)
{
    return config_parse(loader, &spec_outputs_field, node, &store->outputs);
}

static bool expect_by_name(struct config_loader *loader, const struct config_node *output, struct scenario *scenario)
{
    const char *names[NAMES_MAX + 1];
    bool good = true;
    for (uint32_t i = 0; i < output->count; i++) {
        const struct config_node *node = &output->children[i];
        int at = find_store(scenario->config, node->key);
        if (at < 0)
            report_name(loader, node, "a store", store_names(scenario->config, names));
        good &= at >= 0 && expect_of_store(loader, node, &scenario->stores[at]);
    }
    return good;
}

static bool names_store(const struct config_node *output, const struct config *config)
{
    for (uint32_t i = 0; i < output->count; i++) {
        if (find_store(config, output->children[i].key) >= 0)
            return true;
    }
    return config->store_count > 1;
}

static bool expect_outputs(struct config_loader *loader, struct scenario *scenario)
{
    const struct config_node *output = scenario->spec->output;
    if (output == NULL)
        return true;
    if (output->kind == NODE_MAP && names_store(output, scenario->config))
        return expect_by_name(loader, output, scenario);
    if (scenario->config->store_count == 1)
        return expect_of_store(loader, output, &scenario->stores[0]);
    const char *names[NAMES_MAX + 1];
    char choices[256];
    config_error(loader->report, output, "expected a map of lists, by the names of the stores (%s), found one list",
                 found_choices(store_names(scenario->config, names), choices, sizeof choices));
    return false;
}

/* -- stages -- */

/* Where a step is: the stage, and its number in it. */
struct place {
    const struct config_stage *stage;
    uint32_t step;
};

static uint32_t list_places(const struct config *config, struct place *places)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->stage_count; i++) {
        for (uint32_t k = 0; k < config->stages[i].step_count && count < NAMES_MAX; k++)
            places[count++] = (struct place){&config->stages[i], k};
    }
    return count;
}

static bool is_called(const struct place *place, const char *name)
{
    const struct config_stage *stage = place->stage;
    const char *type = stage->steps[place->step].type->name;
    char text[NAME_SIZE_MAX];
    if (strcmp(name, type) == 0 || (stage->step_count == 1 && strcmp(name, stage->name) == 0))
        return true;
    snprintf(text, sizeof text, "%s.%s", stage->name, type);
    if (strcmp(name, text) == 0)
        return true;
    snprintf(text, sizeof text, "%s[%u]", stage->name, place->step);
    return strcmp(name, text) == 0;
}

static void report_step(struct config_loader *loader, const struct config_node *node, const struct place *places,
                        uint32_t count, unsigned found)
{
    char texts[NAMES_MAX][NAME_SIZE_MAX], choices[512];
    const char *names[NAMES_MAX + 1];
    uint32_t named = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct config_stage *stage = places[i].stage;
        if (found > 0 && !is_called(&places[i], node->key))
            continue;
        if (found > 0)
            snprintf(texts[named], sizeof texts[0], "%s[%u]", stage->name, places[i].step);
        else
            snprintf(texts[named], sizeof texts[0], "%s", stage->steps[places[i].step].type->name);
        names[named] = texts[named];
        named++;
    }
    names[named] = NULL;
    if (found == 0)
        report_name(loader, node, "a stage or of one of its steps", names);
    else
        config_error_key(loader->report, node, "expected the name of one step, found `%.64s`, which may be %s",
                         node->key, found_choices(names, choices, sizeof choices));
}

static bool declare_steps(struct config_loader *loader, const struct config_map *declared, bool lenient,
                          struct scenario *scenario)
{
    struct place places[NAMES_MAX];
    uint32_t count = list_places(scenario->config, places);
    bool good = true;
    for (uint32_t i = 0; i < declared->count; i++) {
        uint32_t at = 0;
        unsigned found = 0;
        for (uint32_t k = 0; k < count; k++) {
            bool called = is_called(&places[k], declared->keys[i]);
            at = called ? k : at;
            found += called;
        }
        if (found == 1)
            scenario->steps[at] = (struct scenario_step){.answers = &((const struct config_list *)declared->values)[i],
                                                         .name = declared->keys[i]};
        else if (found > 1 || !lenient)
            report_step(loader, declared->nodes[i], places, count, found);
        good &= found == 1 || (found == 0 && lenient);
    }
    return good;
}

/* -- records -- */

/* The nth topic of the source; NULL: there are no more. */
static const char *topic_at(const struct config *config, uint32_t at)
{
    const struct config_node *topics = config_tree_get(config->source_node, "topics");
    if (topics != NULL && topics->kind == NODE_LIST)
        return at < topics->count && topics->children[at].kind == NODE_SCALAR ? topics->children[at].text : NULL;
    return topics != NULL && topics->kind == NODE_SCALAR && at == 0 ? topics->text : NULL;
}

static const char *default_topic(const struct config *config)
{
    const char *first = topic_at(config, 0);
    return first != NULL && first[0] != '\0' && first[0] != '^' ? first : "input";
}

/* A record of a topic that the service does not consume would show nothing. Of a pattern the broker alone knows what it means, and a source that was filled in (it
 * has no place) has whatever the scenario gives. */
static bool check_topic(struct config_loader *loader, const struct config *config, const struct spec_record *record)
{
    const char *names[NAMES_MAX + 1], *name;
    char choices[256];
    uint32_t count = 0;
    for (; count < NAMES_MAX && (name = topic_at(config, count)) != NULL; count++) {
        if (name[0] == '^' || strcmp(name, record->topic) == 0)
            return true;
        names[count] = name;
    }
    names[count] = NULL;
    if (count == 0 || count == NAMES_MAX || config->source_node->line == 0)
        return true;
    config_error(loader->report, config_tree_get(record->head.node, "topic"),
                 "expected a topic that the config consumes (%s), found `%.64s`",
                 found_choices(names, choices, sizeof choices), record->topic);
    return false;
}

struct position {
    const char *topic;
    int64_t partition, next;
};

static bool place_record(struct config_loader *loader, struct position *position, struct spec_record *record)
{
    if (record->offset == -1)
        record->offset = position->next;
    if (record->offset < position->next) {
        config_error(loader->report, config_tree_get(record->head.node, "offset"),
                     "expected an offset behind the partition's last one (%lld), found %lld",
                     (long long)position->next - 1, (long long)record->offset);
        return false;
    }
    position->next = record->offset + 1;
    return true;
}

static bool place_records(struct config_loader *loader, struct scenario *scenario)
{
    struct position *positions = config_loader_alloc(loader, PARTITIONS_MAX, sizeof *positions);
    struct spec_record *records = scenario->spec->input.items;
    uint32_t count = 0;
    if (positions == NULL)
        return false;
    bool good = true;
    for (uint32_t i = 0; i < scenario->spec->input.count; i++) {
        struct spec_record *record = &records[i];
        uint32_t at = 0;
        if (record->topic == NULL)
            record->topic = scenario->topic;
        else
            good &= check_topic(loader, scenario->config, record);
        while (at < count &&
               (positions[at].partition != record->partition || strcmp(positions[at].topic, record->topic) != 0))
            at++;
        if (at == PARTITIONS_MAX) {
            config_error(loader->report, record->head.node, "expected at most %d partitions", PARTITIONS_MAX);
            return false;
        }
        if (at == count)
            positions[count++] = (struct position){record->topic, record->partition, 0};
        good &= place_record(loader, &positions[at], record);
    }
    return good;
}

static bool expect_drops(struct config_loader *loader, struct scenario *scenario)
{
    const struct config_node *node = scenario->spec->drops;
    if (node == NULL)
        return true;
    if (node->kind == NODE_SCALAR)
        return config_parse(loader, &spec_count_field, node, &scenario->drop_count);
    scenario->drops_listed = true;
    return config_parse(loader, &spec_drops_field, node, &scenario->drops);
}

/* Without the stores' names a map is one output, or one list for each store. It is taken for one output as soon as a key is, or seems to be meant for, an output's own. */
static bool may_be_one_output(const struct config_node *output)
{
    const char *names[NAMES_MAX + 1];
    uint32_t count = 0;
    for (const struct config_field *field = spec_outputs_field.item->table->fields;
         field->name != NULL && count < NAMES_MAX; field++)
        names[count++] = field->name;
    names[count] = NULL;
    for (uint32_t i = 0; i < output->count; i++) {
        if (config_nearest(output->children[i].key, names) != NULL)
            return true;
    }
    return false;
}

void resolve_without_config(struct config_loader *loader, struct scenario *scenario)
{
    const struct config_node *output = scenario->spec->output;
    struct scenario_store nowhere = {0};
    bool by_name = output != NULL && output->kind == NODE_MAP && !may_be_one_output(output);
    if (output != NULL && output->kind == NODE_LIST)
        (void)expect_of_store(loader, output, &nowhere);
    /* What is no list of maps may be wrong as a whole. */
    for (uint32_t i = 0; by_name && i < output->count; i++) {
        if (output->children[i].kind == NODE_LIST && output->children[i].count > 0 &&
            output->children[i].children[0].kind == NODE_MAP)
            (void)expect_of_store(loader, &output->children[i], &nowhere);
    }
    (void)expect_drops(loader, scenario);
}

bool resolve(struct config_loader *loader, const struct spec *shared, struct scenario *scenario)
{
    const struct config *config = scenario->config;
    const struct spec *spec = scenario->spec;
    bool other = spec->config != NULL && shared != NULL; /* than the one that the file's answers are for */
    uint32_t steps = 0;
    for (uint32_t i = 0; i < config->stage_count; i++)
        steps += config->stages[i].step_count;
    scenario->stores = config_loader_alloc(loader, config->store_count, sizeof *scenario->stores);
    scenario->steps = config_loader_alloc(loader, steps, sizeof *scenario->steps);
    if (scenario->stores == NULL || scenario->steps == NULL)
        return false;
    scenario->topic = default_topic(config);
    bool good = place_records(loader, scenario);
    if (shared != NULL) {
        good &= declare_stores(loader, &shared->stores, other, scenario);
        good &= declare_steps(loader, &shared->stages, other, scenario);
    }
    good &= declare_stores(loader, &spec->stores, false, scenario);
    good &= declare_steps(loader, &spec->stages, false, scenario);
    good &= expect_outputs(loader, scenario);
    return expect_drops(loader, scenario) && good;
}
