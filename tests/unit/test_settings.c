/* SPDX-License-Identifier: MIT */
#include "core/settings.h"

#include "support/test.h"

#include <stdio.h>
#include <strings.h>

/* ---- a Turkish locale: 'I' is no capital 'i' (-Wl,--wrap=strcasecmp) ---- */

int __wrap_strcasecmp(const char *a, const char *b);

int __wrap_strcasecmp(const char *a, const char *b)
{
    return strcmp(a, b);
}

/* ---- a provider that declares one setting of each type, and an alias ---- */

struct shop {
    unsigned char before[16];
    bool open;
    int64_t staff;
    int64_t floor;
    const char *street;
    int kind;
    int size;
    const char *goods;
    unsigned char after[16];
};

static const char *const kinds[] = { "corner", "Market", "mall", NULL };
static const char *const sizes[] = { "", "small", "large", NULL };

#define AT(member_) .offset = offsetof(struct shop, member_)

static const struct ses_setting shop_settings[] = {
    { .name = "isOpen", .type = SES_SETTING_BOOL, AT(open), .preset = 1 },
    { .name = "staff", .type = SES_SETTING_INT, AT(staff), .min = -2, .max = 100, .preset = 7 },
    { .name = "crew", .type = SES_SETTING_INT, AT(staff), .min = 1, .max = 10, .preset = 9 },
    { .name = "floor", .type = SES_SETTING_INT, AT(floor), .min = INT64_MIN, .max = INT64_MAX },
    { .name = "street", .type = SES_SETTING_TEXT, AT(street), .min = 2, .max = 5 },
    { .name = "kind", .type = SES_SETTING_CHOICE, AT(kind), .choices = kinds, .preset = 1 },
    { .name = "size",
      .type = SES_SETTING_CHOICE,
      AT(size),
      .min = 1,
      .max = 2,
      .choices = sizes,
      .preset = 2 },
    { .name = "goods", .type = SES_SETTING_LIST, AT(goods) },
    { .name = NULL },
};

struct reading {
    json_t *json;
    struct shop shop;
    struct ses_error error;
    int code;
};

static struct reading read_text(const char *text)
{
    struct reading reading = { .json = json_loads(text, 0, NULL) };
    assert_non_null(reading.json);
    memset(&reading.shop, 0xa5, sizeof reading.shop);
    const struct settings_table tables[] = { { shop_settings, &reading.shop, "shop" } };
    reading.code = settings_read(reading.json, tables, 1, &reading.error);
    for (size_t i = 0; i < sizeof reading.shop.before; i++) {
        assert_int_equal(reading.shop.before[i], 0xa5);
        assert_int_equal(reading.shop.after[i], 0xa5);
    }
    return reading;
}

static void assert_refused(const char *text, const char *message)
{
    struct reading reading = read_text(text);
    assert_code(reading.code, SES_ERR_INVALID);
    assert_int_equal(reading.error.code, SES_ERR_INVALID);
    assert_string_equal(reading.error.message, message);
    json_decref(reading.json);
}

static struct reading read_well(const char *text)
{
    struct reading reading = read_text(text);
    if (reading.code != SES_OK)
        fail_msg("%s: %s", text, reading.error.message);
    return reading;
}

#define assert_shop(text, condition)                                                               \
 do {                                                                                              \
  struct reading reading_ = read_well(text);                                                       \
  const struct shop shop = reading_.shop;                                                          \
  assert_true(condition);                                                                          \
  json_decref(reading_.json);                                                                      \
 } while (0)

static void what_is_absent_gets_its_preset(void **state)
{
    (void)state;
    assert_shop("{}", shop.open && shop.staff == 7 && shop.floor == 0);
    assert_shop("{}", !shop.street && !shop.goods && shop.kind == 1 && shop.size == 2);
}

static void each_type_is_written_where_it_belongs(void **state)
{
    (void)state;
    assert_shop("{\"isOpen\":false}", !shop.open && shop.staff == 7);
    assert_shop("{\"staff\":-2}", shop.staff == -2);
    assert_shop("{\"staff\":100}", shop.staff == 100);
    assert_shop("{\"floor\":9223372036854775807}", shop.floor == INT64_MAX);
    assert_shop("{\"floor\":-9223372036854775808}", shop.floor == INT64_MIN);
    assert_shop("{\"street\":\"ab\"}", strcmp(shop.street, "ab") == 0);
    assert_shop("{\"street\":\"abcde\"}", strcmp(shop.street, "abcde") == 0);
    assert_shop("{\"kind\":\"mall\"}", shop.kind == 2);
    assert_shop("{\"kind\":\"corner\"}", shop.kind == 0);
    assert_shop("{\"size\":\"small\"}", shop.size == 1);
    assert_shop("{\"size\":1}", shop.size == 1);
    assert_shop("{\"size\":2}", shop.size == 2);
}

static void a_list_is_joined_by_commas(void **state)
{
    (void)state;
    assert_shop("{\"goods\":[]}", strcmp(shop.goods, "") == 0);
    assert_shop("{\"goods\":[\"a\"]}", strcmp(shop.goods, "a") == 0);
    assert_shop("{\"goods\":[\"a\",\"b\",\"\\u00e4\"]}", strcmp(shop.goods, "a,b,\xc3\xa4") == 0);
    assert_shop("{\"goods\":\"a,b\"}", strcmp(shop.goods, "a,b") == 0);
    assert_shop("{\"GOODS\":[\"a\",\"b\"],\"staff\":1}",
                strcmp(shop.goods, "a,b") == 0 && shop.staff == 1);
}

static void a_list_among_many_members_disturbs_none(void **state)
{
    (void)state;
    assert_shop("{\"isOpen\":false,\"goods\":[\"x\",\"y\",\"z\"],\"staff\":3,\"floor\":-1,"
                "\"street\":\"mid\",\"kind\":\"MARKET\",\"size\":1}",
                !shop.open && strcmp(shop.goods, "x,y,z") == 0 && shop.staff == 3 &&
                    shop.floor == -1 && strcmp(shop.street, "mid") == 0 && shop.kind == 1 &&
                    shop.size == 1);
}

static void names_and_words_match_in_any_case_and_in_any_locale(void **state)
{
    (void)state;
    assert_int_equal(strcasecmp("FLOOR", "FLOOR"), 0);
    assert_shop("{\"ISOPEN\":false}", !shop.open);
    assert_shop("{\"isopen\":false}", !shop.open);
    assert_shop("{\"KIND\":\"MALL\"}", shop.kind == 2);
    assert_shop("{\"kInD\":\"market\"}", shop.kind == 1);
}

static void wrong_types_are_refused_with_what_would_be_right(void **state)
{
    (void)state;
    static const char *const values[] = { "null", "{}", "[1]", "1.5", "\"x\\ny\"", "[[]]" };
    static const struct {
        const char *name;
        const char *right;
    } settings[] = {
        { "isOpen", "true or false" },
        { "staff", "a whole number from -2 to 100" },
        { "street", "a text of 2 to 5 bytes" },
        { "kind", "one of: corner, Market, mall" },
        { "size", "one of: small, large; or a number from 1 to 2" },
        { "goods", "an array of texts" },
    };
    char text[64], message[128];
    for (size_t s = 0; s < sizeof settings / sizeof settings[0]; s++) {
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            if (values[v][0] == '"' && (s == 2 || s == 5))
                continue; /* a text is right there */
            (void)snprintf(text, sizeof text, "{\"%s\":%s}", settings[s].name, values[v]);
            (void)snprintf(message, sizeof message, "\"%s\" must be %s", settings[s].name,
                           settings[s].right);
            assert_refused(text, message);
        }
    }
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_refused("{\"staff\":-3}", "\"staff\" must be a whole number from -2 to 100");
    assert_refused("{\"staff\":101}", "\"staff\" must be a whole number from -2 to 100");
    assert_refused("{\"staff\":1.0}", "\"staff\" must be a whole number from -2 to 100");
    assert_refused("{\"staff\":\"1\"}", "\"staff\" must be a whole number from -2 to 100");
    assert_refused("{\"crew\":0}", "\"crew\" must be a whole number from 1 to 10");
    assert_refused("{\"street\":\"a\"}", "\"street\" must be a text of 2 to 5 bytes");
    assert_refused("{\"street\":\"abcdef\"}", "\"street\" must be a text of 2 to 5 bytes");
    assert_refused("{\"street\":\"\\u00e4\\u00e4\\u00e4\"}",
                   "\"street\" must be a text of 2 to 5 bytes");
    assert_refused("{\"kind\":\"\"}", "\"kind\" must be one of: corner, Market, mall");
    assert_refused("{\"kind\":\"malls\"}", "\"kind\" must be one of: corner, Market, mall");
    assert_refused("{\"kind\":0}", "\"kind\" must be one of: corner, Market, mall");
    assert_refused("{\"kind\":true}", "\"kind\" must be one of: corner, Market, mall");
    assert_refused("{\"size\":\"\"}",
                   "\"size\" must be one of: small, large; or a number from 1 to 2");
    assert_refused("{\"size\":0}",
                   "\"size\" must be one of: small, large; or a number from 1 to 2");
    assert_refused("{\"size\":3}",
                   "\"size\" must be one of: small, large; or a number from 1 to 2");
    assert_refused("{\"size\":4294967297}",
                   "\"size\" must be one of: small, large; or a number from 1 to 2");
}

static void two_names_of_one_setting_are_one(void **state)
{
    (void)state;
    assert_shop("{\"crew\":5}", shop.staff == 5);
    assert_refused("{\"staff\":5,\"crew\":5}",
                   "\"staff\" and \"crew\" are the same setting; give it once");
    assert_refused("{\"crew\":5,\"STAFF\":5}",
                   "\"crew\" and \"STAFF\" are the same setting; give it once");
    assert_refused("{\"goods\":[\"a\"],\"Goods\":[\"a\"]}",
                   "\"goods\" and \"Goods\" are the same setting; give it once");
}

static void an_unknown_name_is_told_with_the_nearest(void **state)
{
    (void)state;
    assert_refused("{\"stafff\":1}",
                   "unknown configuration key \"stafff\"; the nearest known one is \"staff\"");
    assert_refused("{\"STREAT\":1}",
                   "unknown configuration key \"STREAT\"; the nearest known one is \"street\"");
    assert_refused("{\"open\":1}",
                   "unknown configuration key \"open\"; the nearest known one is \"isOpen\"");
    assert_refused("{\"cre\":1}",
                   "unknown configuration key \"cre\"; the nearest known one is \"crew\"");
}

static void a_very_long_name_is_cut_in_the_message(void **state)
{
    (void)state;
    for (size_t len = 60; len <= 300; len++) {
        char name[301], text[320], message[200];
        memset(name, 's', len);
        name[len] = '\0';
        (void)snprintf(text, sizeof text, "{\"%s\":1}", name);
        struct reading reading = read_text(text);
        assert_code(reading.code, SES_ERR_INVALID);
        (void)snprintf(message, sizeof message, "unknown configuration key \"%.64s\"; sesame",
                       name);
        assert_memory_equal(reading.error.message, message, strlen(message));
        json_decref(reading.json);
    }
}

/* A third party's provider may declare any name. */
static void a_very_long_declared_name_is_survived(void **state)
{
    (void)state;
    char long_name[200];
    int64_t number = 0;
    struct ses_error error;
    memset(long_name, 'n', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    const struct ses_setting settings[] = {
        { .name = long_name, .type = SES_SETTING_INT, .max = 9 }, { .name = NULL }
    };
    const struct settings_table table = { settings, &number, "shop" };
    json_t *json = json_pack("{s:i}", "nnn", 1);
    assert_code(settings_read(json, &table, 1, &error), SES_ERR_INVALID);
    json_decref(json);
    json = json_pack("{s:i}", long_name, 9);
    assert_ok(settings_read(json, &table, 1, &error));
    assert_int_equal(number, 9);
    json_decref(json);
}

/* Log injection: what is quoted cannot start a line of its own. */
static void a_message_is_one_line_whatever_it_quotes(void **state)
{
    (void)state;
    assert_refused("{\"a\\nb\\r\\u001b[31m\\u007f\":1}",
                   "unknown configuration key \"a?b??[31m?\"; sesame-config(5) lists the common "
                   "ones, and shop "
                   "has isOpen, staff, floor, street, kind, size, goods");
    struct ses_error error;
    for (int byte = 1; byte < 256; byte++) {
        char text[2] = { (char)byte, '\0' };
        assert_code(error_set(&error, SES_ERR_INVALID, "%s", text), SES_ERR_INVALID);
        assert_int_equal((unsigned char)error.message[0], byte < 0x20 || byte == 0x7f ? '?' : byte);
    }
}

static void a_message_that_is_too_long_is_cut(void **state)
{
    (void)state;
    struct ses_error error;
    char endless[1000];
    memset(endless, 'x', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    assert_code(error_set(&error, SES_ERR_ABI, "%s", endless), SES_ERR_ABI);
    assert_int_equal(error.code, SES_ERR_ABI);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

static void two_tables_are_read_as_one_and_the_first_wins(void **state)
{
    (void)state;
    struct {
        int64_t a, b;
    } first, second;
    static const struct ses_setting ab[] = {
        { .name = "a", .type = SES_SETTING_INT, .offset = 0, .max = 9, .preset = 1 },
        { .name = "b", .type = SES_SETTING_INT, .offset = sizeof(int64_t), .max = 9, .preset = 2 },
        { .name = NULL },
    };
    const struct settings_table tables[] = { { ab, &first, NULL },
                                             { ab + 1, &second, NULL },
                                             { ab, &second, NULL } };
    struct ses_error error;
    json_t *json = json_pack("{s:i,s:i}", "b", 5, "a", 6);
    assert_ok(settings_read(json, tables, 3, &error));
    assert_int_equal(first.a, 6);
    assert_int_equal(first.b, 5);
    assert_int_equal(second.a, 1);
    assert_int_equal(second.b, 2);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_absent_gets_its_preset),
        cmocka_unit_test(each_type_is_written_where_it_belongs),
        cmocka_unit_test(a_list_is_joined_by_commas),
        cmocka_unit_test(a_list_among_many_members_disturbs_none),
        cmocka_unit_test(names_and_words_match_in_any_case_and_in_any_locale),
        cmocka_unit_test(wrong_types_are_refused_with_what_would_be_right),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(two_names_of_one_setting_are_one),
        cmocka_unit_test(an_unknown_name_is_told_with_the_nearest),
        cmocka_unit_test(a_very_long_name_is_cut_in_the_message),
        cmocka_unit_test(a_very_long_declared_name_is_survived),
        cmocka_unit_test(a_message_is_one_line_whatever_it_quotes),
        cmocka_unit_test(a_message_that_is_too_long_is_cut),
        cmocka_unit_test(two_tables_are_read_as_one_and_the_first_wins),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
