/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters as programs use them: the public helpers of libvirt.so.0. */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <glib.h>

typedef struct {
    virTypedParameterPtr items;
    int n, max;
} Params;

static void
ignore_error(void *opaque, virErrorPtr error)
{
}

static void
params_clear(Params *params)
{
    virTypedParamsFree(params->items, params->n);
    *params = (Params){0};
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Params, params_clear)

static void
every_type_comes_back_as_it_was_added(void)
{
    g_auto(Params) p = {0};
    int i, b;
    unsigned int u;
    long long l;
    unsigned long long ul;
    double d;
    const char *s;

    g_assert_cmpint(virTypedParamsAddInt(&p.items, &p.n, &p.max, "i", -7), ==, 0);
    g_assert_cmpint(virTypedParamsAddUInt(&p.items, &p.n, &p.max, "u", G_MAXUINT), ==, 0);
    g_assert_cmpint(virTypedParamsAddLLong(&p.items, &p.n, &p.max, "l", G_MININT64), ==, 0);
    g_assert_cmpint(virTypedParamsAddULLong(&p.items, &p.n, &p.max, "ul", G_MAXUINT64), ==, 0);
    g_assert_cmpint(virTypedParamsAddDouble(&p.items, &p.n, &p.max, "d", 1.5), ==, 0);
    g_assert_cmpint(virTypedParamsAddBoolean(&p.items, &p.n, &p.max, "b", 5), ==, 0);
    g_assert_cmpint(virTypedParamsAddString(&p.items, &p.n, &p.max, "s", "text"), ==, 0);
    g_assert_cmpint(p.n, ==, 7);

    g_assert_cmpint(virTypedParamsGetInt(p.items, p.n, "i", &i), ==, 1);
    g_assert_cmpint(i, ==, -7);
    g_assert_cmpint(virTypedParamsGetUInt(p.items, p.n, "u", &u), ==, 1);
    g_assert_cmpuint(u, ==, G_MAXUINT);
    g_assert_cmpint(virTypedParamsGetLLong(p.items, p.n, "l", &l), ==, 1);
    g_assert_cmpint(l, ==, G_MININT64);
    g_assert_cmpint(virTypedParamsGetULLong(p.items, p.n, "ul", &ul), ==, 1);
    g_assert_cmpuint(ul, ==, G_MAXUINT64);
    g_assert_cmpint(virTypedParamsGetDouble(p.items, p.n, "d", &d), ==, 1);
    g_assert_cmpfloat(d, ==, 1.5);
    g_assert_cmpint(virTypedParamsGetBoolean(p.items, p.n, "b", &b), ==, 1);
    g_assert_cmpint(b, ==, 1);
    g_assert_cmpint(virTypedParamsGetString(p.items, p.n, "s", &s), ==, 1);
    g_assert_cmpstr(s, ==, "text");
    g_assert_true(virTypedParamsGet(p.items, p.n, "s") == &p.items[6]);
}

static void
absent_is_zero_and_another_type_is_an_error(void)
{
    g_auto(Params) p = {0};
    int i = 42;
    unsigned int u = 42;

    virTypedParamsAddInt(&p.items, &p.n, &p.max, "cpu", 3);
    g_assert_cmpint(virTypedParamsGetInt(p.items, p.n, "memory", &i), ==, 0);
    g_assert_cmpint(i, ==, 42);
    g_assert_null(virGetLastError());
    g_assert_cmpint(virTypedParamsGetUInt(p.items, p.n, "cpu", &u), ==, -1);
    g_assert_cmpuint(u, ==, 42);
    g_assert_cmpint(virGetLastErrorCode(), ==, VIR_ERR_INVALID_ARG);
    g_assert_null(virTypedParamsGet(p.items, p.n, "memory"));
}

static void
strings_are_parsed_by_type_or_refused(void)
{
    g_auto(Params) p = {0};
    static const struct {
        int type;
        const char *text;
        int result;
    } cases[] = {
        {VIR_TYPED_PARAM_INT, "-12", 0},
        {VIR_TYPED_PARAM_INT, "12x", -1},
        {VIR_TYPED_PARAM_UINT, "-1", -1},
        {VIR_TYPED_PARAM_ULLONG, "18446744073709551615", 0},
        {VIR_TYPED_PARAM_LLONG, "9223372036854775808", -1},
        {VIR_TYPED_PARAM_DOUBLE, "0.25", 0},
        {VIR_TYPED_PARAM_BOOLEAN, "1", 0},
        {VIR_TYPED_PARAM_BOOLEAN, "yes", -1},
        {VIR_TYPED_PARAM_STRING, "", 0},
        {99, "1", -1},
    };
    int good = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        int result =
            virTypedParamsAddFromString(&p.items, &p.n, &p.max, "x", cases[i].type, cases[i].text);
        g_assert_cmpint(result, ==, cases[i].result);
        good += result == 0;
        g_assert_cmpint(p.n, ==, good);
    }
}

static void
long_names_are_refused(void)
{
    g_auto(Params) p = {0};
    g_autofree char *fits = g_strnfill(VIR_TYPED_PARAM_FIELD_LENGTH - 1, 'n');
    g_autofree char *too_long = g_strnfill(VIR_TYPED_PARAM_FIELD_LENGTH, 'n');

    g_assert_cmpint(virTypedParamsAddInt(&p.items, &p.n, &p.max, fits, 1), ==, 0);
    g_assert_cmpint(virTypedParamsAddInt(&p.items, &p.n, &p.max, too_long, 1), ==, -1);
    g_assert_cmpint(p.n, ==, 1);
}

static void
list_of_strings_becomes_one_parameter_each(void)
{
    g_auto(Params) p = {0};
    const char *values[] = {"vda", "vdb", NULL};

    g_assert_cmpint(virTypedParamsAddStringList(&p.items, &p.n, &p.max, "disk", values), ==, 0);
    g_assert_cmpint(p.n, ==, 2);
    g_assert_cmpstr(p.items[1].value.s, ==, "vdb");
    virTypedParamsClear(p.items, p.n);
    g_assert_null(p.items[1].value.s);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    virSetErrorFunc(NULL, ignore_error);
    g_test_add_func("/typed/every_type_comes_back_as_it_was_added",
                    every_type_comes_back_as_it_was_added);
    g_test_add_func("/typed/absent_is_zero_and_another_type_is_an_error",
                    absent_is_zero_and_another_type_is_an_error);
    g_test_add_func("/typed/strings_are_parsed_by_type_or_refused",
                    strings_are_parsed_by_type_or_refused);
    g_test_add_func("/typed/long_names_are_refused", long_names_are_refused);
    g_test_add_func("/typed/list_of_strings_becomes_one_parameter_each",
                    list_of_strings_becomes_one_parameter_each);
    return g_test_run();
}
