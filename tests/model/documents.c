/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every document of tests/model/data is read, printed, read again, compared, copied and judged
 * by the grammar. The name up to the first dash says what it is; `-plain` files are printed
 * byte for byte as they stand. */
#include <string.h>

#include "base/error.h"
#include "gen/model-capabilities.h"
#include "gen/model-domain.h"
#include "gen/model-domcaps.h"
#include "gen/model-interface_config.h"
#include "gen/model-network.h"
#include "gen/model-nodedev.h"
#include "gen/model-nwfilter.h"
#include "gen/model-pool.h"
#include "gen/model-secret.h"
#include "gen/model-snapshot.h"
#include "gen/model-volume.h"
#include "model/reflect.h"

typedef struct {
    const char *prefix;
    const ModelType *type;
} Kind;

static const Kind kinds[] = {
    {"domain", &domain_model},
    {"snapshot", &domain_snapshot_model},
    {"capabilities", &host_capabilities_model},
    {"domcaps", &domain_capabilities_model},
    {"pool", &storage_pool_model},
    {"volume", &storage_volume_model},
    {"secret", &secret_model},
    {"network", &network_model},
    {"nwfilter", &nwfilter_model},
    {"interface", &host_interface_model},
    {"nodedev", &node_device_model},
};

typedef struct {
    const Kind *kind;
    char *name, *xml;
} Document;

static const ModelFormatFlags all = MODEL_FORMAT_SECURE | MODEL_FORMAT_STATUS;

static void *
read_again(const Document *document, const char *xml)
{
    g_autoptr(GError) err = NULL;
    void *self = model_parse(document->kind->type, xml, MODEL_PARSE_STATUS, &err);

    g_assert_no_error(err);
    return self;
}

static void
survives_all_the_engine_does(gconstpointer data)
{
    const Document *document = data;
    const ModelType *type = document->kind->type;
    void *self = read_again(document, document->xml);
    g_autofree char *xml = model_format(type, self, all);
    void *again = read_again(document, xml);
    g_autofree char *xml_again = model_format(type, again, all);
    void *copy = model_copy(type, self);
    g_autofree char *xml_copy = model_format(type, copy, all);
    g_autoptr(GError) err = NULL;
    json_t *json = model_to_json(type, self, 0);

    g_assert_true(model_equal(type, self, again));
    g_assert_cmpstr(xml, ==, xml_again);
    g_assert_cmpstr(xml, ==, xml_copy);
    g_assert_true(model_compare(type, self, copy, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(json_object_size(json), >, 1);
    if (strstr(document->name, "-plain"))
        g_assert_cmpstr(xml, ==, document->xml);
    json_decref(json);
    model_free(type, self);
    model_free(type, again);
    model_free(type, copy);
}

/* Cut, doubled and blanked pieces: whatever comes out is an error or a model that can be
 * printed and read. */
static void
survives_damage(gconstpointer data)
{
    const Document *document = data;
    const ModelType *type = document->kind->type;
    gsize len = strlen(document->xml);

    for (guint round = 0; round < 400; round++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *xml = g_strdup(document->xml);
        gsize at = (gsize)round * len / 400;
        void *self;

        if (round % 3 == 0)
            xml[at] = '1';
        else if (round % 3 == 1 && at + 8 < len)
            memmove(xml + at, xml + at + 1, len - at);
        else
            xml[at] = xml[at] == '\'' ? ' ' : '\'';
        self = model_parse(type, xml, MODEL_PARSE_STATUS, &err);
        g_assert_true(!self == (err != NULL));
        if (self) {
            g_autofree char *out = model_format(type, self, all);
            g_autoptr(GError) second = NULL;
            void *again = model_parse(type, out, MODEL_PARSE_STATUS, &second);

            g_assert_no_error(second);
            g_assert_true(model_equal(type, self, again));
            model_free(type, again);
        }
        model_free(type, self);
    }
}

static void
is_what_the_grammar_says(gconstpointer data)
{
    const Document *document = data;
    g_autoptr(GError) err = NULL;

    g_assert_true(model_validate(document->kind->type, document->xml, &err));
    g_assert_no_error(err);
}

static void
add_document(const char *folder, const char *name)
{
    Document *document = g_new0(Document, 1);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *test = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_has_prefix(name, kinds[i].prefix))
            document->kind = &kinds[i];
    g_assert_nonnull(document->kind);
    document->name = g_strdup(name);
    g_assert_true(g_file_get_contents(path, &document->xml, NULL, NULL));
    for (guint i = 0; i < 3; i++) {
        static const char *const claims[] = {"survives_all_the_engine_does", "survives_damage",
                                             "is_what_the_grammar_says"};
        static const GTestDataFunc functions[] = {survives_all_the_engine_does, survives_damage,
                                                  is_what_the_grammar_says};

        g_free(test);
        test = g_strdup_printf("/documents/%s/%s", name, claims[i]);
        g_test_add_data_func(test, document, functions[i]);
    }
}

int
main(int argc, char **argv)
{
    g_autofree char *folder = NULL;
    g_autoptr(GDir) dir = NULL;
    const char *name;

    g_test_init(&argc, &argv, NULL);
    folder = g_test_build_filename(G_TEST_DIST, "data", NULL);
    dir = g_dir_open(folder, 0, NULL);
    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir)))
        add_document(folder, name);
    return g_test_run();
}
