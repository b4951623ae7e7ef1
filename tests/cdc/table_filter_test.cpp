#include "cdc/table_filter.hpp"

#include <gtest/gtest.h>

namespace pgcourier::cdc {
namespace {

TEST(TableFilter, WithoutPatternsPassesEveryTable) {
  EXPECT_TRUE(TableFilter({}).passes("any", "thing"));
}

TEST(TableFilter, GlobsMatchTheWholeName) {
  const TableFilter filter({"public.*", "audit.log_?"});
  EXPECT_TRUE(filter.passes("public", "orders"));
  EXPECT_TRUE(filter.passes("audit", "log_1"));
  EXPECT_FALSE(filter.passes("audit", "log_12"));
  EXPECT_FALSE(filter.passes("notpublic", "orders"));
}

TEST(TableFilter, AGlobsDotIsADot) {
  EXPECT_FALSE(TableFilter({"public.a"}).passes("publicxa", ""));
  EXPECT_TRUE(TableFilter({"s.a+b(é)"}).passes("s", "a+b(é)"));
}

TEST(TableFilter, RegularExpressionsMatchTheWholeName) {
  const TableFilter filter({"re:public\\.(a|b)"});
  EXPECT_TRUE(filter.passes("public", "a"));
  EXPECT_FALSE(filter.passes("public", "ab"));
}

TEST(TableFilter, AWrongExpressionIsNamed) {
  try {
    TableFilter({"re:("});
    FAIL();
  } catch (const FilterError& error) {
    EXPECT_NE(std::string(error.what()).find("'re:('"), std::string::npos);
  }
}

}  // namespace
}  // namespace pgcourier::cdc
