#include "config/syntax.h"

#include <stdbool.h>
#include <string.h>

#include "config/excerpt.h"
#include "config/report.h"

/* problem: how libyaml's text begins. */
static const struct {
    const char *problem, *words;
} WORDS[] = {
    {"mapping values are not allowed",
     "expected a value, found a `key: value` in it: it wants a line of its own, deeper indentation, or quotes"},
    {"block sequence entries are not allowed", "expected a value, found `- `: a list item wants a line of its own"},
    {"block mapping entries are not allowed", "expected a value, found `key:`: it wants a line of its own"},
    {"did not find expected key", "expected a key, indented as the ones around it (or the end of a [ or { above)"},
    {"did not find expected '-' indicator", "expected `- `, indented as the list items above"},
    {"did not find expected ',' or ']'", "expected , or ] in a list that began with ["},
    {"did not find expected ',' or '}'", "expected , or } in a map that began with {"},
    {"did not find expected node content", "expected a value"},
    {"did not find expected <document start>",
     "expected one YAML document, found more text behind its end (is the indentation as above?)"},
    {"could not find expected ':'", "expected `: ` behind a key"},
    {"found a tab character", "expected spaces, found a tab: YAML is indented by spaces only"},
    {"found unexpected end of stream", "expected a closing quote, found the end of the file"},
    {"found unexpected document indicator", "expected a closing quote, found the end of the document"},
    {"found unknown escape character",
     "expected an escape that YAML knows in double quotes (\\n, \\t, \\\\ ...); 'single quotes' take a \\ as it is"},
    {"did not find expected hexdecimal number", "expected hexadecimal digits in an escape"},
    {"found undefined tag handle", "expected a value without a tag (a text that begins with ! needs quotes)"},
    {"did not find expected alphabetic or numeric character",
     "expected a name behind & or * (a text that begins so needs quotes)"},
};

static const char *words_of(const char *problem)
{
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (strncmp(problem, WORDS[i].problem, strlen(WORDS[i].problem)) == 0)
            return WORDS[i].words;
    }
    return NULL;
}

/* A character that is no YAML text, at a byte offset. */
static void report_reader(const yaml_parser_t *parser, const char *problem, const char *text, size_t size,
                          struct config_report *report)
{
    unsigned line, column;
    size_t offset = parser->problem_offset < size ? parser->problem_offset : size;
    excerpt_place(text, size, offset, &line, &column);
    if (strncmp(problem, "control characters", 18) == 0)
        config_error_place(report, line, column, "expected text, found the control character 0x%02x",
                           (unsigned)parser->problem_value);
    else
        config_error_place(report, line, column, "expected UTF-8 text, found the byte 0x%02x",
                           offset < size ? (unsigned)(unsigned char)text[offset] : 0);
}

/* Has the line these two characters, `{{` or `${`, before the column, outside of quotes? */
static bool has_bare(const char *pair, const char *text, size_t size, unsigned line, unsigned column)
{
    size_t length, at = excerpt_line(text, size, line, &length);
    char quote = 0;
    unsigned seen = 1;
    for (size_t i = 0; i + 1 < length && seen < column; i++) {
        char c = text[at + i];
        seen += ((unsigned char)c & 0xc0) != 0x80;
        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == pair[0] && text[at + i + 1] == pair[1])
            return true;
    }
    return false;
}

static void report_start(const char *text, size_t size, unsigned line, unsigned column, struct config_report *report)
{
    size_t length, at = excerpt_line(text, size, line, &length), byte = excerpt_byte(text + at, length, column);
    char c = byte < length ? text[at + byte] : '?';
    if (c == '\t')
        config_error_place(report, line, column, "expected spaces, found a tab: YAML is indented by spaces only");
    else
        config_error_place(report, line, column, "expected a value, found %c: a text that begins with it needs quotes",
                           c);
}

void syntax_report(const yaml_parser_t *parser, const char *text, size_t size, struct config_report *report)
{
    unsigned line = (unsigned)parser->problem_mark.line + 1, column = (unsigned)parser->problem_mark.column + 1;
    const char *problem = parser->problem != NULL ? parser->problem : "";
    if (parser->error == YAML_MEMORY_ERROR) {
        config_error(report, NULL, "no memory");
    } else if (parser->error == YAML_READER_ERROR) {
        report_reader(parser, problem, text, size, report);
    } else if (has_bare("{{", text, size, line, column)) {
        config_error_place(report, line, column,
                           "a template needs quotes in YAML: expected \"{{...}}\" around the whole value");
    } else if (strncmp(problem, "did not find expected ','", 25) == 0 && has_bare("${", text, size, line, column)) {
        config_error_place(report, line, column, "expected quotes around ${...} inside of [ ] or { }: \"${...}\"");
    } else if (strncmp(problem, "found character that cannot start any token", 43) == 0) {
        report_start(text, size, line, column, report);
    } else {
        const char *words = words_of(problem);
        /* An open quote is looked for where it was opened. */
        if (words != NULL && strstr(words, "closing quote") != NULL) {
            line = (unsigned)parser->context_mark.line + 1;
            column = (unsigned)parser->context_mark.column + 1;
        }
        config_error_place(report, line, column, "%s%s",
                           words != NULL ? words : "expected valid YAML: ", words != NULL ? "" : problem);
    }
}
