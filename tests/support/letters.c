#include "tests/support/letters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

struct record *letters_add(struct letters *letters, const struct letter_words *words)
{
    struct record *record = records_add(letters->batch, "key", "{\"id\":1}");
    const char *const headers[][2] = {
        {"trace", "t1"},
        {"weir.error.stage", words->stage != NULL ? words->stage : "decode"},
        {"weir.error.class", words->class != NULL ? words->class : "json"},
        {"weir.error.message", words->message},
        {"weir.source.topic", words->topic != NULL ? words->topic : "orders"},
        {"weir.source.partition", "3"},
        {"weir.source.offset", "17"},
        {"weir.source.timestamp", words->timestamp},
        {"weir.attempts", words->attempts != NULL ? words->attempts : "1"},
        {"weir.service", "orders-store"},
        {"weir.value.truncated", words->truncated},
    };
    for (unsigned i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (headers[i][1] != NULL)
            records_header(letters->batch, record, headers[i][0], headers[i][1]);
    }
    return record;
}

int letters_set_up(void **state)
{
    struct letters *letters = calloc(1, sizeof *letters);
    records_init(&letters->records);
    letters->batch = records_batch(&letters->records);
    letters->batch->topic = "orders.dlq";
    *state = letters;
    return 0;
}

int letters_tear_down(void **state)
{
    struct letters *letters = *state;
    batch_free(letters->batch);
    records_fini(&letters->records);
    free(letters->text);
    free(letters);
    return 0;
}

FILE *letters_open_text(struct letters *letters)
{
    free(letters->text);
    letters->out = open_memstream(&letters->text, &letters->size);
    assert_non_null(letters->out);
    return letters->out;
}

const char *letters_text(struct letters *letters)
{
    assert_int_equal(fclose(letters->out), 0);
    return letters->text;
}
