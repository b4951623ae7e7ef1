#include "cdc/daemon/checks/standby_names.hpp"

#include <gtest/gtest.h>

namespace pgcourier::cdc::daemon {
namespace {

struct Case {
  const char* setting;
  bool names_shop;
};

// What the server's own parser makes of it (manual 20.6.2, syncrep_gram.y).
constexpr Case cases[] = {
    {"", false},
    {" ", false},
    // The names alone.
    {"shop", true},
    {" shop ", true},
    {"SHOP", true},
    {"a, shop", true},
    {"shop,a", true},
    {"a,\n\t\f\v shop", true},
    {"a, b", false},
    {"shop2, myshop, sho", false},
    // FIRST n, n, ANY n.
    {"FIRST 1 (a, shop)", true},
    {"first 1(shop, a)", true},
    {"2 (a, shop, b)", true},
    {"ANY 2 (shop, a, b)", true},
    {"any 1 ( a , b )", false},
    {"FIRST 1 (a, b)", false},
    // Quotes.
    {R"("shop")", true},
    {R"("Shop")", true},
    {R"(FIRST 1 ("shop", b))", true},
    {R"(ANY 1 (a, "shop"))", true},
    {R"("shop ")", false},
    {R"("a, shop")", false},
    {R"("a ""shop""")", false},
    {R"("a""", shop)", true},
    {R"("")", false},
    {R"("a(b", shop)", true},
    {R"-("a(shop)")-", false},
    {R"-("a)b", shop)-", true},
    {R"-(ANY 1 ("a)b", shop))-", true},
    {R"-(ANY 1 ("(shop)", b))-", false},
    // Every standby.
    {"*", true},
    {"a, *", true},
    {"FIRST 2 (*)", true},
    {"ANY 1 (a, *)", true},
    {R"("*")", true},
    {R"("a*")", false},
};

class SynchronousStandbyNames : public testing::TestWithParam<Case> {};

TEST_P(SynchronousStandbyNames, AreReadAsTheServerReadsThem) {
  EXPECT_EQ(names_standby(GetParam().setting, "shop"), GetParam().names_shop) << GetParam().setting;
}

INSTANTIATE_TEST_SUITE_P(Checks, SynchronousStandbyNames, testing::ValuesIn(cases));

TEST(SynchronousStandbyNames, AreTakenAsAWholeWithTheCharactersOnlyQuotesAllow) {
  EXPECT_TRUE(names_standby(R"(a, "shop-eu.1")", "shop-eu.1"));
  EXPECT_TRUE(names_standby(R"("SHOP-EU.1")", "shop-eu.1"));
  EXPECT_FALSE(names_standby(R"("shop-eu.1")", "shop"));
  EXPECT_FALSE(names_standby("FIRST 2 (a, b)", "2"));
  EXPECT_FALSE(names_standby("FIRST 2 (a, b)", "first"));
  EXPECT_TRUE(names_standby("FIRST 2 (a, 1)", "1"));
  EXPECT_FALSE(names_standby(R"("", a)", ""));
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
