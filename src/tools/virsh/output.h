/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data for people and for programs: a command fills a table, a list of fields or a tree once, and it is printed as aligned
 * text, or as JSON with --json. JSON keys are lower case words with underscores; numbers stay numbers. */
#pragma once

#include "tools/virsh/shell.h"

/* A table: `columns` are the headings, `keys` the JSON keys of the same places. */
typedef struct Table Table;
Table *table_new(const char *const *headings, const char *const *keys);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)
/* One cell after the other; a row is full after as many cells as columns. NULL prints as nothing (null in JSON). */
void table_text(Table *table, const char *text);
void table_number(Table *table, long long number);
/* Shown as @shown, written to JSON as a number or bool. */
void table_number_as(Table *table, long long number, const char *shown);
void table_print(Shell *shell, const Table *table);
gsize table_rows(const Table *table);

/* Named values: "Name:           test". The column of the values starts after the longest usual label. */
typedef struct Fields Fields;
Fields *fields_new(int label_width);
void fields_free(Fields *fields);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fields, fields_free)
void fields_text(Fields *fields, const char *label, const char *key, const char *text);
void fields_printf(Fields *fields, const char *label, const char *key, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);
/* JSON gets @number, people see it with @unit behind ("KiB"; NULL none). */
void fields_number(Fields *fields, const char *label, const char *key, unsigned long long number,
                   const char *unit);
void fields_bool(Fields *fields, const char *label, const char *key, bool value, const char *yes,
                 const char *no);
void fields_print(Shell *shell, const Fields *fields);

/* One value: itself as a line, or {"key": value}. */
void print_value(Shell *shell, const char *key, const char *text);
void print_number(Shell *shell, const char *key, long long number);
/* A document as it is, or {"xml": "..."}. */
void print_xml(Shell *shell, const char *xml);

/* A document with an empty line of its own behind it, as some commands have always printed it. */
void print_document(Shell *shell, const char *xml);

/* JSON pieces for output of other shapes. */
void json_append_string(GString *out, const char *text);
void json_append_params(GString *out, const virTypedParameter *params, int n);
/* A typed parameter's value as text. Free with g_free. */
char *param_text(const virTypedParameter *param);
/* Parameters in lines of that form (name, value), or as a JSON object. */
void params_print(Shell *shell, const virTypedParameter *params, int n, const char *format);
