/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program may load the library as a plug-in and close it again: threads that used it must still be able to end. Loads it
 * itself, from the build tree, and is not linked with it. */
#include <dlfcn.h>
#include <glib.h>
#include <stdbool.h>

typedef struct {
    GMutex lock;
    GCond changed;
    void *library;
    bool has_used, may_end;
} Stage;

static void
ignore_error(void *opaque, void *error)
{
}

static void *
use_and_wait(void *opaque)
{
    Stage *stage = opaque;
    void *(*open_connection)(const char *uri);
    void (*set_error_func)(void *opaque, void (*handler)(void *, void *));

    *(void **)&open_connection = dlsym(stage->library, "virConnectOpen");
    *(void **)&set_error_func = dlsym(stage->library, "virSetErrorFunc");
    set_error_func(NULL, ignore_error);
    g_assert_null(open_connection("qemu:///system?socket=/does/not/exist"));

    g_mutex_lock(&stage->lock);
    stage->has_used = true;
    g_cond_broadcast(&stage->changed);
    while (!stage->may_end)
        g_cond_wait(&stage->changed, &stage->lock);
    g_mutex_unlock(&stage->lock);
    return NULL;
}

static void
threads_end_well_after_the_library_was_closed(void)
{
    g_autofree char *path =
        g_test_build_filename(G_TEST_BUILT, "..", "src", "client", "libvirt.so.0", NULL);
    Stage stage = {.library = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    GThread *thread;

    g_assert_nonnull(stage.library);
    g_mutex_init(&stage.lock);
    g_cond_init(&stage.changed);
    thread = g_thread_new("user", use_and_wait, &stage);

    g_mutex_lock(&stage.lock);
    while (!stage.has_used)
        g_cond_wait(&stage.changed, &stage.lock);
    g_assert_cmpint(dlclose(stage.library), ==, 0);
    stage.may_end = true;
    g_cond_broadcast(&stage.changed);
    g_mutex_unlock(&stage.lock);

    g_thread_join(thread);
    g_mutex_clear(&stage.lock);
    g_cond_clear(&stage.changed);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/unload/threads_end_well_after_the_library_was_closed",
                    threads_end_well_after_the_library_was_closed);
    return g_test_run();
}
