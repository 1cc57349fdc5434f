/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict reading on request (the VALIDATE flags): a domain's document against the RelaxNG schema made from schema/model.
 * What parsing passes over in silence, an unknown element or attribute, is refused here. The schema is part of the program
 * and is compiled at the first use. */
#define ERROR_DOMAIN VIR_FROM_XML
#include <libxml/relaxng.h>
#include <string.h>

#include "base/error.h"
#include "model/domain.h"
#include "model/engine_private.h"

extern const char model_domain_rng[];
extern const unsigned model_domain_rng_len;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNGValidCtxt, xmlRelaxNGFreeValidCtxt)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNGParserCtxt, xmlRelaxNGFreeParserCtxt)

static xmlRelaxNG *
domain_schema(void)
{
    static gsize once;

    if (g_once_init_enter(&once)) {
        g_autoptr(xmlRelaxNGParserCtxt) reader =
            xmlRelaxNGNewMemParserCtxt(model_domain_rng, (int)model_domain_rng_len);

        g_once_init_leave(&once, (gsize)xmlRelaxNGParse(reader));
    }
    return (xmlRelaxNG *)once;
}

/* Keeps the first complaint: the others follow from it. */
static void
note_complaint(void *data, xmlError *complaint)
{
    GString *text = data;

    if (text->len || !complaint->message)
        return;
    g_string_printf(text, "line %d: %s", complaint->line, complaint->message);
    g_strchomp(text->str);
    text->len = strlen(text->str);
}

bool
domain_validate(const char *xml, GError **err)
{
    g_autoptr(xmlDoc) doc = model_read_document(xml, err);
    g_autoptr(xmlRelaxNGValidCtxt) judge = NULL;
    g_autoptr(GString) complaint = g_string_new(NULL);

    if (!doc)
        return false;
    judge = xmlRelaxNGNewValidCtxt(domain_schema());
    xmlRelaxNGSetValidStructuredErrors(judge, (xmlStructuredErrorFunc)(void *)note_complaint,
                                       complaint);
    if (xmlRelaxNGValidateDoc(judge, doc) == 0)
        return true;
    return fail(err, VIR_ERR_XML_INVALID_SCHEMA, "%s",
                complaint->len ? complaint->str : "the document does not match the schema");
}
