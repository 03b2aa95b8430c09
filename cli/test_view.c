#include "cli/test_view.h"

#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "processor/check.h"
#include "processor/json.h"

/* -- for people -- */

static void write_finding(const struct test_result *result, const struct finding *finding, FILE *out)
{
    if (finding->line > 0)
        fprintf(out, "%s:%u:%u: ", result->file, finding->line, finding->column);
    fprintf(out, "%s%s%s\n", finding->about, finding->about[0] != '\0' ? ": " : "", finding->text);
}

void test_view_text(const struct test_result *result, bool colour, FILE *out)
{
    const char *red = colour ? "\033[1;31m" : "", *green = colour ? "\033[32m" : "", *end = colour ? "\033[0m" : "";
    if (result->name == NULL) {
        fputs(result->mistakes, out);
        fprintf(out, "%sWRONG%s   %s\n", red, end, result->file);
        return;
    }
    if (result->findings.count == 0) {
        fprintf(out, "%sok%s      %s: %s\n", green, end, result->file, result->name);
        return;
    }
    fprintf(out, "%sFAILED%s  %s:%u: %s\n", red, end, result->file, result->line, result->name);
    for (size_t i = 0; i < result->findings.count; i++) {
        fputs("        ", out);
        write_finding(result, &result->findings.items[i], out);
    }
}

static double seconds(const struct test_results *results)
{
    int64_t ns = 0;
    for (size_t i = 0; i < results->count; i++)
        ns += results->items[i].ns;
    return (double)ns / 1e9;
}

void test_view_summary(const struct test_results *results, FILE *out)
{
    unsigned run = results->passed + results->failed;
    fprintf(out, "%u scenario%s in %u file%s: %u passed, %u failed", run, run == 1 ? "" : "s", results->files,
            results->files == 1 ? "" : "s", results->passed, results->failed);
    if (results->wrong > 0)
        fprintf(out, "; %u file%s with mistakes, not run", results->wrong, results->wrong == 1 ? "" : "s");
    fprintf(out, " (%.2f s)\n", seconds(results));
}

/* -- for machines -- */

void test_view_json(const struct test_result *result, FILE *out)
{
    fputs("{\"file\": ", out);
    text_json(out, result->file);
    if (result->name == NULL) {
        fputs(", \"result\": \"wrong\"}\n", out);
        return;
    }
    fputs(", \"scenario\": ", out);
    text_json(out, result->name);
    fprintf(out, ", \"line\": %u, \"result\": \"%s\", \"seconds\": %.6f, \"findings\": [", result->line,
            result->findings.count == 0 ? "passed" : "failed", (double)result->ns / 1e9);
    for (size_t i = 0; i < result->findings.count; i++) {
        const struct finding *finding = &result->findings.items[i];
        fprintf(out, "%s{\"line\": %u, \"column\": %u, \"about\": ", i > 0 ? ", " : "", finding->line, finding->column);
        text_json(out, finding->about);
        fputs(", \"message\": ", out);
        text_json(out, finding->text);
        putc('}', out);
    }
    fputs("]}\n", out);
}

/* -- JUnit -- */

/* XML 1.0 has no place for most control characters, escaped or not; and bytes that are no UTF-8 would make all of it unreadable. */
static void write_xml(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0';) {
        unsigned char byte = (unsigned char)*at;
        unsigned size = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
        if (strnlen(at, size) < size || !utf8_valid(bytes_of(at, size))) {
            fputs("\xef\xbf\xbd", out);
            at++;
            continue;
        }
        bool control = byte < ' ' && byte != '\n' && byte != '\t';
        bool noncharacter = size == 3 && memcmp(at, "\xef\xbf", 2) == 0 && (unsigned char)at[2] >= 0xbe;
        if (byte == '&' || byte == '<' || byte == '>' || byte == '"')
            fputs(byte == '&' ? "&amp;" : byte == '<' ? "&lt;" : byte == '>' ? "&gt;" : "&quot;", out);
        else if (control || noncharacter)
            fputs("\xef\xbf\xbd", out);
        else
            fwrite(at, 1, size, out);
        at += size;
    }
}

static void write_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    write_xml(out, value);
    putc('"', out);
}

static void write_findings(const struct test_result *result, FILE *out)
{
    char *text = NULL;
    size_t size = 0;
    FILE *lines = open_memstream(&text, &size);
    CHECK(lines != NULL);
    for (size_t i = 0; i < result->findings.count; i++)
        write_finding(result, &result->findings.items[i], lines);
    CHECK(fclose(lines) == 0);
    write_xml(out, text);
    free(text);
}

static void write_case(const struct test_result *result, FILE *out)
{
    fputs("    <testcase", out);
    write_attribute(out, "classname", result->file);
    write_attribute(out, "name", result->name != NULL ? result->name : "(the file)");
    write_attribute(out, "file", result->file);
    fprintf(out, " line=\"%u\" time=\"%.6f\"", result->line, (double)result->ns / 1e9);
    if (result->mistakes != NULL) {
        fputs(">\n      <error message=\"the file has mistakes\" type=\"mistake\">", out);
        write_xml(out, result->mistakes);
        fputs("</error>\n    </testcase>\n", out);
    } else if (result->findings.count > 0) {
        fputs(">\n      <failure", out);
        write_attribute(out, "message", result->findings.items[0].text);
        fputs(" type=\"failure\">", out);
        write_findings(result, out);
        fputs("</failure>\n    </testcase>\n", out);
    } else {
        fputs("/>\n", out);
    }
}

/* The results of one file stand side by side. */
static size_t file_end(const struct test_results *results, size_t first)
{
    size_t end = first;
    while (end < results->count && strcmp(results->items[end].file, results->items[first].file) == 0)
        end++;
    return end;
}

static void write_suite(const struct test_results *results, size_t first, size_t end, FILE *out)
{
    unsigned failures = 0, errors = 0;
    int64_t ns = 0;
    for (size_t i = first; i < end; i++) {
        failures += results->items[i].findings.count > 0;
        errors += results->items[i].mistakes != NULL;
        ns += results->items[i].ns;
    }
    fputs("  <testsuite", out);
    write_attribute(out, "name", results->items[first].file);
    fprintf(out, " tests=\"%zu\" failures=\"%u\" errors=\"%u\" skipped=\"0\" time=\"%.6f\">\n", end - first, failures,
            errors, (double)ns / 1e9);
    for (size_t i = first; i < end; i++)
        write_case(&results->items[i], out);
    fputs("  </testsuite>\n", out);
}

void test_view_junit(const struct test_results *results, FILE *out)
{
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuites name=\"weir test\" tests=\"%zu\" failures=\"%u\" errors=\"%u\" time=\"%.6f\">\n",
            results->count, results->failed, results->wrong, seconds(results));
    for (size_t first = 0, end; first < results->count; first = end) {
        end = file_end(results, first);
        write_suite(results, first, end, out);
    }
    fputs("</testsuites>\n", out);
}
