/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bare minimum of loading definitions: libxml2 parses every file given, once. Prints seconds. */
#include <libxml/parser.h>
#include <stdio.h>
#include <time.h>

int
main(int argc, char **argv)
{
    struct timespec a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 1; i < argc; i++) {
        xmlDocPtr doc = xmlReadFile(argv[i], NULL, XML_PARSE_NONET);
        if (!doc)
            return 1;
        xmlFreeDoc(doc);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.6f\n", (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9);
    return 0;
}
