/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Showing JSON to people, without a JSON library: only blanks between its parts change. */
#pragma once

/* Each member on a line of its own. Free with g_free. */
char *json_pretty(const char *json);
/* The text of a member of the outermost object; NULL when there is none. Free with g_free. */
char *json_member(const char *json, const char *name);
