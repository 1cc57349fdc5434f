/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model engine on tests/model/zoo.model, which has one of each construct of the language. */
#define ERROR_DOMAIN VIR_FROM_NETWORK

#include "tests/model/model-zoo.h"

#include <string.h>

#include "base/error.h"
#include "model/reflect.h"

/* --- what the schema names --- */

bool
zoo_date_parse(const char *text, char **date, GError **err)
{
    if (strlen(text) != 8)
        return fail(err, VIR_ERR_XML_ERROR, "'%s' is no date", text);
    g_free(*date);
    *date = g_strdup_printf("%.4s-%.2s-%s", text, text + 4, text + 6);
    return true;
}

char *
zoo_date_format(char *const *date)
{
    return g_strdup_printf("%.4s%.2s%s", *date, *date + 5, *date + 8);
}

bool
animal_prints_nickname(const Animal *animal, ModelFormatFlags flags)
{
    return animal->tame == TRISTATE_YES;
}

bool
animal_prints_extra_early(const Animal *animal, ModelFormatFlags flags)
{
    return animal->legs == 2;
}

bool
animal_prints_extra_late(const Animal *animal, ModelFormatFlags flags)
{
    return animal->legs != 2;
}

bool
pets_number(Pets *pets, const ModelRules *rules, GError **err)
{
    for (gsize i = 0; i < pets->n_animals; i++)
        pets->animals[i]->scratch = (int)i + 1;
    return true;
}

bool
pets_count(Pets *pets, const ModelRules *rules, GError **err)
{
    *(int *)rules->opaque += (int)pets->n_animals;
    return rules->root == pets;
}

bool
pets_check_number(const Pets *pets, const ModelRules *rules, GError **err)
{
    return pets->n_animals < 3 || fail(err, VIR_ERR_XML_ERROR, "too many");
}

/* --- */

static const char full[] = "<animal home='pool' name='Ann &amp; &lt;Bob&gt;' legs='4' diet='none' "
                           "shape='last' tame='yes' loud='on' id='7'>\n"
                           "  <title>A &apos;title&apos;</title>\n"
                           "  <uuid>00112233-4455-6677-8899-aabbccddeeff</uuid>\n"
                           "  <mac address='52:54:00:aa:bb:0c'/>\n"
                           "  <weight unit='KiB'>2048</weight>\n"
                           "  <length unit_less='-9000000000'/>\n"
                           "  <mask>0755</mask>\n"
                           "  <code>0x00ff</code>\n"
                           "  <serial>0x0123456789abcdef</serial>\n"
                           "  <cpus>0-2,5</cpus>\n"
                           "  <secret>pw</secret>\n"
                           "  <state>3</state>\n"
                           "  <size tall='10' unit='KiB' color='red'>5</size>\n"
                           "  <trait word='shy'/>\n"
                           "  <trait word='slow'/>\n"
                           "  <number>1</number>\n"
                           "  <number>2</number>\n"
                           "  <number>3</number>\n"
                           "  <diets>\n"
                           "    <diet>grass</diet>\n"
                           "    <diet>meat</diet>\n"
                           "  </diets>\n"
                           "  <keeper name='Kim' age='40'>the keeper</keeper>\n"
                           "  <swim able='on'/>\n"
                           "  <a>\n"
                           "    <b>\n"
                           "      <c d='deep'/>\n"
                           "    </b>\n"
                           "  </a>\n"
                           "  <blind/>\n"
                           "  <date>20261124</date>\n"
                           "  <nickname>Annie</nickname>\n"
                           "  <between>x</between>\n"
                           "  <extra>late</extra>\n"
                           "  <ticket type='year' from='2020'>\n"
                           "    <photo by=\"&quot;me&quot;\">\n"
                           "      <pixel xmlns=\"http://example.org/photo\" x=\"1\"/>\n"
                           "      <text>two\nlines <b>bold</b> </text>\n"
                           "    </photo>\n"
                           "  </ticket>\n"
                           "  <home depth='3'>\n"
                           "    <water unit='bytes'>1000</water>\n"
                           "  </home>\n"
                           "  <events>\n"
                           "    <walk km='1.5'/>\n"
                           "    <bath/>\n"
                           "    <walk/>\n"
                           "    <nap hours='-1'/>\n"
                           "  </events>\n"
                           "  <parent home='tree' name='Mum' legs='2'>\n"
                           "    <weight unit='KiB'>4</weight>\n"
                           "    <length unit_less='-3'/>\n"
                           "    <diets/>\n"
                           "    <extra>early</extra>\n"
                           "    <between>y</between>\n"
                           "    <home>an oak</home>\n"
                           "    <events>\n"
                           "    </events>\n"
                           "  </parent>\n"
                           "</animal>\n";

static Animal *
parse_ok(const char *xml, ModelParseFlags flags)
{
    g_autoptr(GError) err = NULL;
    Animal *animal = animal_parse(xml, flags, &err);

    g_assert_no_error(err);
    g_assert_nonnull(animal);
    return animal;
}

/* The smallest animal with @attributes and @content. */
static Animal *
parse_small(const char *attributes, const char *content, GError **err)
{
    g_autofree char *xml =
        g_strdup_printf("<animal name='a' legs='1' %s>%s</animal>", attributes, content);

    return animal_parse(xml, 0, err);
}

static void
assert_refused(const char *attributes, const char *content, int domain, int code,
               const char *message)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Animal) animal = parse_small(attributes, content, &err);

    g_assert_null(animal);
    g_assert_cmpstr(err->message, ==, message);
    g_assert_cmpint(error_code(err), ==, code);
    g_assert_cmpint(error_domain_of(err), ==, domain);
}

static void
everything_read_is_printed_the_same(void)
{
    g_autoptr(Animal) animal = parse_ok(full, MODEL_PARSE_STATUS);
    g_autofree char *xml = animal_format(animal, MODEL_FORMAT_SECURE | MODEL_FORMAT_STATUS);

    g_assert_cmpstr(xml, ==, full);
}

static void
members_hold_what_was_read(void)
{
    g_autoptr(Animal) animal = parse_ok(full, 0);

    g_assert_cmpint(animal->place.kind, ==, HOME_TYPE_POOL);
    g_assert_cmpuint(animal->place.pool->depth, ==, 3);
    g_assert_cmpuint(animal->place.pool->water, ==, 1000);
    g_assert_cmpstr(animal->name, ==, "Ann & <Bob>");
    g_assert_cmpint(animal->diet, ==, DIET_NONE);
    g_assert_cmpint(animal->shape, ==, SHAPE_IS_LAST);
    g_assert_cmpuint(animal->code, ==, 255);
    g_assert_cmpuint(animal->mask, ==, 0755);
    g_assert_true(animal->has_id && animal->id == 7);
    g_assert_true(bitmap_has(animal->cpus, 5) && !bitmap_has(animal->cpus, 3));
    g_assert_cmpuint(animal->n_numbers, ==, 3);
    g_assert_cmpuint(animal->numbers[2], ==, 3);
    g_assert_cmpint(animal->diets[1], ==, DIET_MEAT);
    g_assert_cmpstr(animal->date, ==, "2026-11-24");
    g_assert_cmpint(animal->ticket.kind, ==, TICKET_TYPE_YEAR);
    g_assert_cmpuint(animal->n_events, ==, 4);
    g_assert_cmpint(animal->events[1]->kind, ==, EVENT_KIND_BATH);
    g_assert_cmpstr(animal->parent->place.tree->text, ==, "an oak");
    g_assert_cmpuint(animal->size.text, ==, 5);
    g_assert_cmpstr(animal->size.label.color, ==, "red");
    g_assert_false(animal->has_state); /* a status place in a document that is none */
}

static void
defaults_hold_for_what_is_absent(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Animal) animal = parse_small("", "", &err);
    g_autofree char *xml = animal_format(animal, 0);

    g_assert_cmpint(animal->shape, ==, SHAPE_ROUND);
    g_assert_cmpint(animal->place.kind, ==, HOME_TYPE_CAGE);
    g_assert_null(animal->place.cage);
    g_assert_cmpint(animal->tame, ==, TRISTATE_UNSET);
    g_assert_cmpuint(animal->weight, ==, 4);
    g_assert_cmpstr(xml, ==,
                    "<animal home='cage' name='a' legs='1'>\n"
                    "  <weight unit='KiB'>4</weight>\n"
                    "  <length unit_less='-3'/>\n"
                    "  <diets/>\n"
                    "  <events>\n"
                    "  </events>\n"
                    "</animal>\n");
}

static void
flags_choose_what_is_read_and_printed(void)
{
    g_autoptr(Animal) inactive = parse_ok(full, MODEL_PARSE_INACTIVE);
    g_autoptr(Animal) animal = parse_ok(full, MODEL_PARSE_STATUS);
    g_autofree char *plain = animal_format(animal, 0);
    g_autofree char *secure = animal_format(animal, MODEL_FORMAT_SECURE | MODEL_FORMAT_INACTIVE);

    g_assert_false(inactive->has_id);
    g_assert_null(strstr(plain, "<secret>"));
    g_assert_nonnull(strstr(plain, "id='7'"));
    g_assert_null(strstr(plain, "<state>"));
    g_assert_nonnull(strstr(secure, "<secret>pw</secret>"));
    g_assert_null(strstr(secure, "id='7'"));
}

static void
older_spellings_are_read_and_not_printed(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Animal) animal =
        parse_small("", "<old>x</old><swim/><unknown><old>y</old></unknown>", &err);
    g_autofree char *xml = animal_format(animal, 0);

    g_assert_cmpstr(animal->old, ==, "x");
    g_assert_null(strstr(xml, "old"));
    g_assert_nonnull(strstr(xml, "<swim able='on'/>"));
}

static void
of_repeated_children_the_first_counts(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Animal) animal = parse_small(
        "",
        "<title>1</title><title>2</title><parent name='p' legs='1'/><parent name='q' legs='2'/>"
        "<keeper name='k'/><keeper age='3'/>",
        &err);

    g_assert_no_error(err);
    g_assert_cmpstr(animal->title, ==, "1");
    g_assert_cmpstr(animal->parent->name, ==, "p");
    g_assert_false(animal->has_keeper_age);
}

static void
sizes_take_units_and_round_up(void)
{
    static const struct {
        const char *text;
        guint64 kib;
    } cases[] = {
        {"<weight>5</weight>", 5},
        {"<weight unit='b'>1025</weight>", 2},
        {"<weight unit='GiB'>2</weight>", 2 << 20},
        {"<weight unit='gib'>2</weight>", 2 << 20},
        {"<weight unit='MB'>1</weight>", 977},
        {"<weight unit='k'> 7 </weight>", 7},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(Animal) animal = parse_small("", cases[i].text, &err);

        g_assert_no_error(err);
        g_assert_cmpuint(animal->weight, ==, cases[i].kib);
    }
}

static void
bad_values_are_refused_with_their_place(void)
{
    assert_refused("diet='stones'", "", VIR_FROM_XML, VIR_ERR_XML_ERROR,
                   "XML error: Invalid value for attribute 'diet' in element 'animal': 'stones'.");
    assert_refused("tame='perhaps'", "", VIR_FROM_XML, VIR_ERR_XML_ERROR,
                   "XML error: Invalid value for attribute 'tame' in element 'animal': 'perhaps'.");
    assert_refused("home='pool'", "<home depth='-1'/>", VIR_FROM_XML, VIR_ERR_XML_ERROR,
                   "XML error: Invalid value for attribute 'depth' in element 'home': '-1'. "
                   "Expected non-negative integer value");
    assert_refused(
        "home='pool'", "<home depth='0'/>", VIR_FROM_XML, VIR_ERR_XML_ERROR,
        "XML error: Invalid value for attribute 'depth' in element 'home': Zero is not permitted");
    assert_refused("", "<ticket type='year' from='-2'/>", VIR_FROM_XML, VIR_ERR_XML_ERROR,
                   "XML error: Invalid value for attribute 'from' in element 'ticket': '-2'. "
                   "Expected non-negative value");
    assert_refused("", "<ticket type='year' from='2x'/>", VIR_FROM_XML, VIR_ERR_XML_ERROR,
                   "XML error: Invalid value for attribute 'from' in element 'ticket': '2x'. "
                   "Expected integer value");
    assert_refused("", "<ticket type='day'/>", VIR_FROM_XML, VIR_ERR_XML_ERROR,
                   "XML error: Missing required attribute 'date' in element 'ticket'");
    assert_refused("", "<cpus>1,x</cpus>", VIR_FROM_NETWORK, VIR_ERR_CONFIG_UNSUPPORTED,
                   "unsupported configuration: cannot read cpus '1,x'");
    assert_refused("", "<date>soon</date>", VIR_FROM_NETWORK, VIR_ERR_XML_ERROR,
                   "XML error: 'soon' is no date");
    assert_refused("", "<uuid>12</uuid>", VIR_FROM_XML, VIR_ERR_XML_ERROR,
                   "XML error: Invalid value for element 'uuid': '12', line 1; allowed: 32 "
                   "hexadecimal digits");
    assert_refused(
        "", "<diets><diet/></diets>", VIR_FROM_XML, VIR_ERR_XML_ERROR,
        "XML error: Invalid value for element 'diet': '', line 1; allowed: grass, meat, none");
    assert_refused("", "<trait/>", VIR_FROM_XML, VIR_ERR_XML_ERROR,
                   "XML error: Missing required attribute 'word' in element 'trait'");
}

static void
errors_carry_line_and_allowed_values(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Animal) animal = animal_parse(
        "<animal name='a' legs='1'>\n\n<parent name='b'\n legs='2' diet='x'/></animal>", 0, &err);

    g_assert_null(animal);
    g_assert_cmpstr(error_detail(err)->str2, ==, "line 4");
    g_assert_cmpstr(error_detail(err)->str3, ==, "allowed: grass, meat, none");
}

static void
the_schema_names_the_error_of_a_missing_value(void)
{
    static const char *const documents[] = {"<animal legs='1'/>", "<animal name='' legs='1'/>"};

    for (guint i = 0; i < G_N_ELEMENTS(documents); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(Animal) animal = animal_parse(documents[i], 0, &err);

        g_assert_null(animal);
        g_assert_cmpint(error_code(err), ==, VIR_ERR_NO_NAME);
        g_assert_cmpint(error_domain_of(err), ==, VIR_FROM_NETWORK);
        g_assert_cmpstr(err->message, ==, "missing name information in zoo");
    }
}

static void
documents_that_are_none_are_refused(void)
{
    g_autofree char *deep = g_strnfill(40 * 300, ' ');
    g_autofree char *huge = g_strnfill(17 << 20, ' ');
    g_autofree char *value = g_strnfill(70000, 'x');
    g_autofree char *long_value = g_strdup_printf("<animal legs='1' name='%s'/>", value);
    const char *documents[] = {
        "",
        " ",
        "text",
        "<animal",
        "<animal></beast>",
        "<beast/>",
        "<animal name='a' legs='1'/><animal/>",
        deep,
        huge,
        long_value,
        "<!DOCTYPE animal><animal name='a' legs='1'/>",
        "<!DOCTYPE animal [<!ENTITY e 'x'>]><animal name='&e;' legs='1'/>",
        "<!DOCTYPE animal SYSTEM 'file:///etc/passwd'><animal name='a' legs='1'/>",
        "<animal name='&e;' legs='1'/>",
    };

    deep[0] = '\0';
    for (int i = 0; i < 300; i++)
        memcpy(deep + i * 3, "<p>", 4);
    for (guint i = 0; i < G_N_ELEMENTS(documents); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(Animal) animal = animal_parse(documents[i], 0, &err);

        g_assert_null(animal);
        g_assert_nonnull(err);
    }
}

static void
foreign_namespaces_are_declared_where_used(void)
{
    g_autoptr(Animal) animal = parse_ok(
        "<animal name='a' legs='1' xmlns:e='http://example.org/ext/1' xmlns:ext='http://other'>"
        "<ext:note text='not ours'/><e:note text='ours'/>"
        "<e:list><e:item>1</e:item><e:item>2</e:item></e:list></animal>",
        0);
    g_autofree char *xml = animal_format(animal, 0);

    g_assert_cmpstr(animal->ext_note_text, ==, "ours");
    g_assert_cmpuint(animal->n_items, ==, 2);
    g_assert_true(g_str_has_prefix(
        xml, "<animal home='cage' name='a' legs='1' xmlns:ext='http://example.org/ext/1'>\n"));
    g_assert_nonnull(strstr(xml, "    <ext:item>2</ext:item>\n"));
}

static void
foreign_subtrees_keep_their_namespaces_and_text(void)
{
    g_autoptr(Animal) animal = parse_ok(
        "<animal name='a' legs='1' xmlns:m='http://m'><parent name='b' legs='2'><metadata>\n "
        "<m:x>\n"
        "<m:y a='&#10;'> two\n  lines </m:y><!-- c --></m:x>  </metadata></parent></animal>",
        0);
    g_autofree char *xml = animal_format(animal, 0);
    g_autoptr(Animal) again = parse_ok(xml, 0);

    g_assert_nonnull(strstr(xml, "    <metadata xmlns:m=\"http://m\">\n"
                                 "      <m:x>\n"
                                 "        <m:y a=\"&#10;\"> two\n  lines </m:y>\n"
                                 "        <!-- c -->\n"
                                 "      </m:x>\n"
                                 "    </metadata>\n"));
    g_assert_cmpstr(again->parent->metadata, ==, animal->parent->metadata);
}

static void
copies_are_equal_and_independent(void)
{
    g_autoptr(Animal) animal = parse_ok(full, MODEL_PARSE_STATUS);
    g_autoptr(Animal) copy = animal_copy(animal);

    g_assert_true(animal_equal(animal, copy));
    copy->parent->place.tree->text[0] = 'A';
    g_assert_false(animal_equal(animal, copy));
    copy->parent->place.tree->text[0] = 'a';
    g_assert_true(animal_equal(animal, copy));
    bitmap_set(copy->cpus, 9, true);
    g_assert_false(animal_equal(animal, copy));
    g_assert_null(animal_copy(NULL));
}

static void
compare_sees_what_may_not_change_under_a_guest(void)
{
    g_autoptr(Animal) animal = parse_ok(full, 0);
    g_autoptr(Animal) copy = animal_copy(animal);
    g_autoptr(GError) err = NULL;

    copy->legs = 8;
    copy->size.label.font = g_strdup("serif");
    g_assert_true(animal_compare(animal, copy, &err));
    copy->parent->diet = DIET_MEAT;
    g_assert_false(animal_compare(animal, copy, &err));
    g_assert_cmpint(error_code(err), ==, VIR_ERR_CONFIG_UNSUPPORTED);
    g_assert_cmpstr(err->message, ==,
                    "unsupported configuration: parent.diet cannot be added while the guest runs");
    g_clear_error(&err);
    copy->parent->diet = DIET_UNSET;
    copy->weight++;
    g_assert_false(animal_compare(animal, copy, &err));
    g_assert_cmpstr(err->message, ==,
                    "unsupported configuration: weight cannot change from '2048' to '2049' while "
                    "the guest runs");
}

static void
rules_run_over_the_tree(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Pets) pets =
        pets_parse("<pets><animal name='a' legs='1'/><animal name='b' legs='1'/></pets>", 0, &err);
    int count = 0;

    g_assert_true(pets_fill(pets, &count, &err));
    g_assert_cmpint(count, ==, 2);
    g_assert_cmpint(pets->animals[1]->scratch, ==, 2);
    g_assert_true(pets_check(pets, NULL, &err));
    model_append(pets, animals, animal_copy(pets->animals[0]));
    g_assert_false(pets_check(pets, NULL, &err));
    g_assert_nonnull(err);
}

static void
lists_grow_and_shrink(void)
{
    g_autoptr(Pets) pets = pets_new();
    g_autoptr(Animal) out = NULL;

    for (int i = 0; i < 5; i++) {
        Animal *animal = animal_new();

        animal->legs = i;
        model_insert(pets, animals, 0, animal);
    }
    out = model_take(pets, animals, 1);
    g_assert_cmpint(out->legs, ==, 3);
    g_assert_cmpuint(pets->n_animals, ==, 4);
    g_assert_cmpint(pets->animals[1]->legs, ==, 2);
}

static void
members_are_reached_by_path(void)
{
    g_autoptr(Animal) animal = parse_ok(full, 0);
    g_autoptr(GError) err = NULL;
    g_autofree char *text = NULL;
    g_autofree char *absent = NULL;

    g_assert_true(model_get(&animal_model, animal, "place.pool.depth", &text, &err));
    g_assert_cmpstr(text, ==, "3");
    g_assert_true(model_get(&animal_model, animal, "place.tree.text", &absent, &err));
    g_assert_null(absent);
    g_assert_true(model_set(&animal_model, animal, "parent.diet", "meat", &err));
    g_assert_cmpint(animal->parent->diet, ==, DIET_MEAT);
    g_assert_true(model_set(&animal_model, animal, "numbers[1]", "9", &err));
    g_assert_cmpuint(animal->numbers[1], ==, 9);
    g_assert_false(model_set(&animal_model, animal, "parent.diet", "stones", &err));
    g_assert_cmpstr(err->message, ==,
                    "invalid argument: 'stones' cannot be the value of parent.diet; allowed: "
                    "grass, meat, none");
    g_clear_error(&err);
    g_assert_false(model_set(&animal_model, animal, "parent.wings", "2", &err));
    g_clear_error(&err);
    g_assert_false(model_get(&animal_model, animal, "numbers[3]", &absent, &err));
}

static void
count_value(const char *path, const char *text, void *opaque)
{
    if (strcmp(path, "secret") == 0)
        g_assert_cmpstr(text, ==, "(secret)");
    if (strcmp(path, "events[3].nap.hours") == 0)
        g_assert_cmpstr(text, ==, "-1");
    ++*(int *)opaque;
}

static void
json_and_walk_show_every_value(void)
{
    g_autoptr(Animal) animal = parse_ok(full, 0);
    json_t *json = animal_to_json(animal, 0);
    int count = 0;

    g_assert_cmpint(json_integer_value(json_object_get(json, "legs")), ==, 4);
    g_assert_null(json_object_get(json, "secret"));
    g_assert_cmpuint(json_array_size(json_object_get(json, "events")), ==, 4);
    g_assert_cmpstr(json_string_value(json_object_get(json_object_get(json, "place"), "kind")), ==,
                    "pool");
    g_assert_true(json_is_true(json_object_get(json, "tame")));
    json_decref(json);
    animal->place.kind = HOME_TYPE_TANK;
    json = animal_to_json(animal, 0);
    g_assert_cmpint(json_integer_value(json_object_get(
                        json_object_get(json_object_get(json, "place"), "pool"), "depth")),
                    ==, 3);
    json_decref(json);
    model_walk(&animal_model, animal, count_value, &count);
    g_assert_cmpint(count, >, 40);
}

static void
the_grammar_accepts_what_the_engine_prints(void)
{
    g_autofree char *document = g_strdup_printf("<pets>%s</pets>", full);
    g_autofree char *wrong = g_strdup_printf("<pets wings='2'>%s</pets>", full);
    g_autoptr(GError) err = NULL;

    g_assert_true(model_validate(&pets_model, document, &err));
    g_assert_no_error(err);
    g_assert_false(model_validate(&pets_model, wrong, &err));
    g_assert_cmpint(error_code(err), ==, VIR_ERR_XML_INVALID_SCHEMA);
    g_assert_nonnull(strstr(err->message, "wings"));
    g_clear_error(&err);
    g_assert_false(model_validate(&pets_model, "<pets", &err));
    g_assert_cmpint(error_code(err), ==, VIR_ERR_XML_DETAIL);
}

static void
bitmaps_read_and_print(void)
{
    static const struct {
        const char *text, *out;
    } cases[] = {
        {"0", "0"},
        {"0-3,^2,7", "0-1,3,7"},
        {" 1 , 3-4 ", "1,3-4"},
        {"63,64,65,200", "63-65,200"},
        {"", NULL},
        {"1-", NULL},
        {"-1", NULL},
        {"3-1", NULL},
        {"1,,2", NULL},
        {"99999999999", NULL},
        {"a", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Bitmap) bitmap = bitmap_parse(cases[i].text);
        g_autofree char *out = bitmap ? bitmap_format(bitmap) : NULL;

        g_assert_cmpstr(out, ==, cases[i].out);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/model/" #name, name)
    TEST(everything_read_is_printed_the_same);
    TEST(members_hold_what_was_read);
    TEST(defaults_hold_for_what_is_absent);
    TEST(flags_choose_what_is_read_and_printed);
    TEST(older_spellings_are_read_and_not_printed);
    TEST(of_repeated_children_the_first_counts);
    TEST(sizes_take_units_and_round_up);
    TEST(bad_values_are_refused_with_their_place);
    TEST(errors_carry_line_and_allowed_values);
    TEST(the_schema_names_the_error_of_a_missing_value);
    TEST(documents_that_are_none_are_refused);
    TEST(foreign_namespaces_are_declared_where_used);
    TEST(foreign_subtrees_keep_their_namespaces_and_text);
    TEST(copies_are_equal_and_independent);
    TEST(compare_sees_what_may_not_change_under_a_guest);
    TEST(rules_run_over_the_tree);
    TEST(lists_grow_and_shrink);
    TEST(members_are_reached_by_path);
    TEST(json_and_walk_show_every_value);
    TEST(the_grammar_accepts_what_the_engine_prints);
    TEST(bitmaps_read_and_print);
    return g_test_run();
}
