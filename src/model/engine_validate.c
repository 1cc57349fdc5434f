/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Judging a document by the RelaxNG grammar of its model, for callers that ask for it (the
 * VALIDATE flags). The grammar is part of the table, read once, kept. libxml2 does not promise
 * that a grammar may be used by two threads, so they take turns. */
#define ERROR_DOMAIN VIR_FROM_XML

#include "model/engine.h"

#include <libxml/relaxng.h>

#include "base/error.h"
#include "model/engine_private.h"

static GMutex lock;
static GHashTable *grammars; /* ModelFile -> xmlRelaxNG, under the lock */

/* The first complaint is what the reader needs; later ones follow from it. */
static void
keep_first(void *opaque, xmlErrorPtr error)
{
    char **text = opaque;

    if (!*text && error->message)
        *text = g_strdup_printf("line %d: %s", error->line,
                                g_strstrip(g_strdelimit(error->message, "\n", ' ')));
}

static xmlRelaxNG *
find_grammar(const ModelFile *file, GError **err)
{
    xmlRelaxNGParserCtxt *reader;
    xmlRelaxNG *grammar;

    if (!grammars)
        grammars = g_hash_table_new(NULL, NULL);
    grammar = g_hash_table_lookup(grammars, file);
    if (grammar)
        return grammar;
    reader = xmlRelaxNGNewMemParserCtxt(file->grammar, (int)strlen(file->grammar));
    grammar = reader ? xmlRelaxNGParse(reader) : NULL;
    xmlRelaxNGFreeParserCtxt(reader);
    if (!grammar)
        return fail_null(err, VIR_ERR_INTERNAL_ERROR, "the grammar of %s documents cannot be read",
                         file->name);
    g_hash_table_insert(grammars, (void *)file, grammar);
    return grammar;
}

static bool
judge(const ModelFile *file, xmlDoc *doc, GError **err)
{
    g_autofree char *complaint = NULL;
    xmlRelaxNG *grammar = find_grammar(file, err);
    xmlRelaxNGValidCtxt *validator;
    int result;

    if (!grammar)
        return false;
    validator = xmlRelaxNGNewValidCtxt(grammar);
    xmlRelaxNGSetValidStructuredErrors(validator, keep_first, &complaint);
    result = xmlRelaxNGValidateDoc(validator, doc);
    xmlRelaxNGFreeValidCtxt(validator);
    return result == 0 ||
           fail(err, VIR_ERR_XML_INVALID_SCHEMA, "Unable to validate doc against the %s model: %s",
                file->name, complaint ? complaint : "it does not fit");
}

bool
model_validate(const ModelType *type, const char *xml, GError **err)
{
    xmlDoc *doc;
    bool is_valid;

    g_assert(type->file->grammar);
    doc = model_read_document(xml, err);
    if (!doc)
        return false;
    g_mutex_lock(&lock);
    is_valid = judge(type->file, doc, err);
    g_mutex_unlock(&lock);
    xmlFreeDoc(doc);
    return is_valid;
}
