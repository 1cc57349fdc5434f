/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public error functions: whose error is the last one, who is told, what its parts say. */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <glib.h>
#include <string.h>

static int n_told;
static virErrorPtr told;

static void
note_error(void *opaque, virErrorPtr error)
{
    g_assert_cmpstr(opaque, ==, "mine");
    n_told++;
    told = error;
}

static void
a_failed_call_leaves_its_error_and_a_good_one_clears_it(void)
{
    unsigned long version;

    n_told = 0;
    g_assert_cmpint(virDomainFree(NULL), ==, -1);
    g_assert_cmpint(n_told, ==, 1);
    g_assert_true(told == virGetLastError());
    g_assert_cmpint(virGetLastErrorCode(), ==, VIR_ERR_INVALID_DOMAIN);
    g_assert_cmpint(virGetLastErrorDomain(), ==, VIR_FROM_DOM);
    g_assert_cmpstr(virGetLastErrorMessage(), ==, "invalid domain pointer in virDomainFree");
    g_assert_cmpint(virGetVersion(&version, NULL, NULL), ==, 0);
    g_assert_null(virGetLastError());
    g_assert_cmpstr(virGetLastErrorMessage(), ==, "no error");
}

static void
parts_are_the_form_and_what_fills_it(void)
{
    virConnectClose(NULL);
    g_assert_cmpstr(virGetLastError()->str1, ==, "invalid connection pointer in %s");
    g_assert_cmpstr(virGetLastError()->str2, ==, "virConnectClose");
    g_assert_null(virGetLastError()->str3);
    g_assert_cmpint(virGetLastError()->level, ==, VIR_ERR_ERROR);
}

static void
missing_argument_is_named(void)
{
    g_assert_cmpint(virGetVersion(NULL, NULL, NULL), ==, -1);
    g_assert_cmpint(virGetLastErrorCode(), ==, VIR_ERR_INVALID_ARG);
    g_assert_cmpstr(virGetLastErrorMessage(), ==, "libVer in virGetVersion must not be NULL");
    g_assert_cmpstr(virGetLastError()->str1, ==, "virGetVersion");
    g_assert_cmpstr(virGetLastError()->str2, ==, "libVer");
}

static void
copies_outlive_the_error(void)
{
    virError copy;
    virErrorPtr saved;

    virDomainFree(NULL);
    g_assert_cmpint(virCopyLastError(&copy), ==, VIR_ERR_INVALID_DOMAIN);
    saved = virSaveLastError();
    virResetLastError();
    g_assert_null(virGetLastError());
    g_assert_cmpstr(copy.message, ==, "invalid domain pointer in virDomainFree");
    g_assert_cmpstr(saved->message, ==, copy.message);
    virResetError(&copy);
    g_assert_null(copy.message);
    virFreeError(saved);
    g_assert_cmpint(virCopyLastError(&copy), ==, 0);
    g_assert_cmpint(virCopyLastError(NULL), ==, -1);
}

static void *
fail_elsewhere(void *opaque)
{
    virNetworkFree(NULL);
    g_assert_cmpint(virGetLastErrorCode(), ==, VIR_ERR_INVALID_NETWORK);
    return NULL;
}

static void
each_thread_has_its_own(void)
{
    virDomainFree(NULL);
    g_thread_join(g_thread_new("other", fail_elsewhere, NULL));
    g_assert_cmpint(virGetLastErrorCode(), ==, VIR_ERR_INVALID_DOMAIN);
}

static void
default_handler_prints_one_line(void)
{
    if (g_test_subprocess()) {
        virSetErrorFunc(NULL, NULL);
        virDomainFree(NULL);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("libvirt: Domain error : invalid domain pointer in virDomainFree\n");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    virSetErrorFunc((void *)"mine", note_error);
    g_test_add_func("/errors/a_failed_call_leaves_its_error_and_a_good_one_clears_it",
                    a_failed_call_leaves_its_error_and_a_good_one_clears_it);
    g_test_add_func("/errors/parts_are_the_form_and_what_fills_it",
                    parts_are_the_form_and_what_fills_it);
    g_test_add_func("/errors/missing_argument_is_named", missing_argument_is_named);
    g_test_add_func("/errors/copies_outlive_the_error", copies_outlive_the_error);
    g_test_add_func("/errors/each_thread_has_its_own", each_thread_has_its_own);
    g_test_add_func("/errors/default_handler_prints_one_line", default_handler_prints_one_line);
    return g_test_run();
}
