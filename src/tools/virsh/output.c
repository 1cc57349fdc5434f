/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See output.h. */
#include "tools/virsh/output.h"

#include <math.h>
#include <string.h>
#include <wchar.h>

typedef struct {
    char *text; /* NULL: no value */
    bool is_number;
    long long number;
} Cell;

struct Table {
    const char *const *headings;
    const char *const *keys;
    guint columns;
    GArray *cells; /* of Cell, row after row */
};

void
json_append_string(GString *out, const char *text)
{
    if (!text) {
        g_string_append(out, "null");
        return;
    }
    g_string_append_c(out, '"');
    for (const char *at = text; *at; at++) {
        switch (*at) {
        case '"':
            g_string_append(out, "\\\"");
            break;
        case '\\':
            g_string_append(out, "\\\\");
            break;
        case '\n':
            g_string_append(out, "\\n");
            break;
        case '\t':
            g_string_append(out, "\\t");
            break;
        default:
            if ((guchar)*at < 0x20)
                g_string_append_printf(out, "\\u%04x", (guchar)*at);
            else
                g_string_append_c(out, *at);
        }
    }
    g_string_append_c(out, '"');
}

static void
cell_clear(void *cell)
{
    g_free(((Cell *)cell)->text);
}

Table *
table_new(const char *const *headings, const char *const *keys)
{
    Table *table = g_new0(Table, 1);

    table->headings = headings;
    table->keys = keys;
    table->columns = g_strv_length((char **)headings);
    table->cells = g_array_new(FALSE, TRUE, sizeof(Cell));
    g_array_set_clear_func(table->cells, cell_clear);
    return table;
}

void
table_free(Table *table)
{
    if (!table)
        return;
    g_array_unref(table->cells);
    g_free(table);
}

void
table_text(Table *table, const char *text)
{
    Cell cell = {.text = g_strdup(text)};

    g_array_append_val(table->cells, cell);
}

void
table_number_as(Table *table, long long number, const char *shown)
{
    Cell cell = {.text = g_strdup(shown), .is_number = true, .number = number};

    g_array_append_val(table->cells, cell);
}

void
table_number(Table *table, long long number)
{
    Cell cell = {.text = g_strdup_printf("%lld", number), .is_number = true, .number = number};

    g_array_append_val(table->cells, cell);
}

gsize
table_rows(const Table *table)
{
    return table->cells->len / table->columns;
}

/* Width on a terminal: what cannot be printed there counts as its escape. */
static int
text_width(const char *text)
{
    int width = 0;

    for (const char *at = text; at && *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char_validated(at, -1);
        if (c == (gunichar)-1 || c == (gunichar)-2)
            return strlen(text);
        width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

static void
append_padded(GString *out, const char *text, int width)
{
    g_string_append(out, text ? text : "");
    for (int i = text_width(text ? text : ""); i < width; i++)
        g_string_append_c(out, ' ');
}

static void
table_print_json(Shell *shell, const Table *table)
{
    g_autoptr(GString) out = g_string_new("[");

    for (guint i = 0; i < table->cells->len; i++) {
        const Cell *cell = &g_array_index(table->cells, Cell, i);
        guint column = i % table->columns;
        g_string_append(out, column ? "," : i ? ",\n{" : "{");
        json_append_string(out, table->keys[column]);
        g_string_append_c(out, ':');
        if (cell->is_number)
            g_string_append_printf(out, "%lld", cell->number);
        else
            json_append_string(out, cell->text);
        if (column == table->columns - 1)
            g_string_append_c(out, '}');
    }
    shell_print(shell, "%s]\n", out->str);
}

void
table_print(Shell *shell, const Table *table)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree int *widths = g_new0(int, table->columns);
    int total = 0;

    if (shell_wants_json(shell)) {
        table_print_json(shell, table);
        return;
    }
    for (guint c = 0; c < table->columns; c++) {
        widths[c] = shell_is_quiet(shell) ? 0 : text_width(table->headings[c]);
        for (guint i = c; i < table->cells->len; i += table->columns)
            widths[c] = MAX(widths[c], text_width(g_array_index(table->cells, Cell, i).text));
        total += widths[c] + 3;
    }
    /* A row is " cell   cell   cell": one blank before, three between, none behind. */
    if (!shell_is_quiet(shell)) {
        for (guint c = 0; c < table->columns; c++) {
            g_string_append(out, c ? "   " : " ");
            append_padded(out, table->headings[c], c + 1 < table->columns ? widths[c] : 0);
        }
        g_string_append_c(out, '\n');
        for (int i = 0; i < total; i++)
            g_string_append_c(out, '-');
        g_string_append_c(out, '\n');
    }
    for (guint i = 0; i < table->cells->len; i++) {
        guint c = i % table->columns;
        g_string_append(out, c ? "   " : " ");
        append_padded(out, g_array_index(table->cells, Cell, i).text,
                      c + 1 < table->columns ? widths[c] : 0);
        if (c + 1 == table->columns)
            g_string_append_c(out, '\n');
    }
    shell_print(shell, "%s", out->str);
}

/* ---- fields ---- */

struct Fields {
    int width;
    GString *text;
    GString *json;
};

Fields *
fields_new(int label_width)
{
    Fields *fields = g_new0(Fields, 1);

    fields->width = label_width;
    fields->text = g_string_new(NULL);
    fields->json = g_string_new("{");
    return fields;
}

void
fields_free(Fields *fields)
{
    if (!fields)
        return;
    g_string_free(fields->text, TRUE);
    g_string_free(fields->json, TRUE);
    g_free(fields);
}

static void
fields_start(Fields *fields, const char *label, const char *key)
{
    if (label) {
        gsize from = fields->text->len;
        g_string_append_printf(fields->text, "%s:", label);
        do
            g_string_append_c(fields->text, ' ');
        while ((int)(fields->text->len - from) < fields->width);
    }
    g_string_append(fields->json, fields->json->len > 1 ? "," : "");
    json_append_string(fields->json, key);
    g_string_append_c(fields->json, ':');
}

void
fields_text(Fields *fields, const char *label, const char *key, const char *text)
{
    fields_start(fields, label, key);
    if (label)
        g_string_append_printf(fields->text, "%s\n", text ? text : "-");
    json_append_string(fields->json, text);
}

void
fields_printf(Fields *fields, const char *label, const char *key, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, fmt);
    text = g_strdup_vprintf(fmt, args);
    va_end(args);
    fields_text(fields, label, key, text);
}

void
fields_number(Fields *fields, const char *label, const char *key, unsigned long long number,
              const char *unit)
{
    fields_start(fields, label, key);
    if (label)
        g_string_append_printf(fields->text, "%llu%s%s\n", number, unit ? " " : "",
                               unit ? unit : "");
    g_string_append_printf(fields->json, "%llu", number);
}

void
fields_bool(Fields *fields, const char *label, const char *key, bool value, const char *yes,
            const char *no)
{
    fields_start(fields, label, key);
    if (label)
        g_string_append_printf(fields->text, "%s\n", value ? yes : no);
    g_string_append(fields->json, value ? "true" : "false");
}

void
fields_print(Shell *shell, const Fields *fields)
{
    if (shell_wants_json(shell))
        shell_print(shell, "%s}\n", fields->json->str);
    else
        shell_print(shell, "%s", fields->text->str);
}

/* ---- single values ---- */

void
print_value(Shell *shell, const char *key, const char *text)
{
    g_autoptr(GString) out = g_string_new("{");

    if (!shell_wants_json(shell)) {
        shell_print(shell, "%s\n", text);
        return;
    }
    json_append_string(out, key);
    g_string_append_c(out, ':');
    json_append_string(out, text);
    shell_print(shell, "%s}\n", out->str);
}

void
print_number(Shell *shell, const char *key, long long number)
{
    if (shell_wants_json(shell))
        shell_print(shell, "{\"%s\":%lld}\n", key, number);
    else
        shell_print(shell, "%lld\n", number);
}

void
print_xml(Shell *shell, const char *xml)
{
    if (shell_wants_json(shell))
        print_value(shell, "xml", xml);
    else
        shell_print(shell, "%s%s", xml, g_str_has_suffix(xml, "\n") ? "" : "\n");
}

void
print_document(Shell *shell, const char *xml)
{
    if (shell_wants_json(shell))
        print_value(shell, "xml", xml);
    else
        shell_print(shell, "%s\n", xml);
}

char *
param_text(const virTypedParameter *param)
{
    switch (param->type) {
    case VIR_TYPED_PARAM_INT:
        return g_strdup_printf("%d", param->value.i);
    case VIR_TYPED_PARAM_UINT:
        return g_strdup_printf("%u", param->value.ui);
    case VIR_TYPED_PARAM_LLONG:
        return g_strdup_printf("%lld", param->value.l);
    case VIR_TYPED_PARAM_ULLONG:
        return g_strdup_printf("%llu", param->value.ul);
    case VIR_TYPED_PARAM_DOUBLE:
        return g_strdup_printf("%f", param->value.d);
    case VIR_TYPED_PARAM_BOOLEAN:
        return g_strdup(param->value.b ? "yes" : "no");
    case VIR_TYPED_PARAM_STRING:
        return g_strdup(param->value.s);
    default:
        return g_strdup_printf("unknown type %d", param->type);
    }
}

void
json_append_params(GString *out, const virTypedParameter *params, int n)
{
    g_string_append_c(out, '{');
    for (int i = 0; i < n; i++) {
        g_autofree char *text = param_text(&params[i]);
        g_string_append(out, i ? "," : "");
        json_append_string(out, params[i].field);
        g_string_append_c(out, ':');
        if (params[i].type == VIR_TYPED_PARAM_STRING)
            json_append_string(out, text);
        else if (params[i].type == VIR_TYPED_PARAM_BOOLEAN)
            g_string_append(out, params[i].value.b ? "true" : "false");
        else if (params[i].type == VIR_TYPED_PARAM_DOUBLE && !isfinite(params[i].value.d))
            g_string_append(out, "null");
        else
            g_string_append(out, text);
    }
    g_string_append_c(out, '}');
}

void
params_print(Shell *shell, const virTypedParameter *params, int n, const char *format)
{
    g_autoptr(GString) json = g_string_new(NULL);

    if (shell_wants_json(shell)) {
        json_append_params(json, params, n);
        shell_print(shell, "%s\n", json->str);
        return;
    }
    for (int i = 0; i < n; i++) {
        g_autofree char *text = param_text(&params[i]);
        shell_print(shell, format, params[i].field, text);
    }
}
