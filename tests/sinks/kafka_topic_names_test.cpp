#include "sinks/kafka_topic_names.hpp"

#include <gtest/gtest.h>

namespace pgcourier::sinks {
namespace {

TEST(KafkaTopicNames, FillInTheTemplate) {
  EXPECT_EQ(topic_name("{name}.{schema}.{table}", "shop", "public", "orders"),
            "shop.public.orders");
  EXPECT_EQ(topic_name("cdc-{table}", "shop", "public", "orders"), "cdc-orders");
}

TEST(KafkaTopicNames, ReplaceWhatKafkaDoesNotAllow) {
  EXPECT_EQ(topic_name("{schema}.{table}", "shop", "Größe", "a b/c"), "Gr____e.a_b_c");
}

TEST(KafkaTopicNames, LeavePlaceholdersInsideATablesNameAlone) {
  EXPECT_EQ(topic_name("{table}", "shop", "public", "{name}"), "_name_");
}

TEST(KafkaTopicNames, AreRefusedWhenKafkaWouldRefuseThem) {
  EXPECT_EQ(topic_name_problem("shop.public.orders"), "");
  EXPECT_EQ(topic_name_problem(std::string(249, 'a')), "");
  EXPECT_NE(topic_name_problem(std::string(250, 'a')), "");
  EXPECT_NE(topic_name_problem(""), "");
  EXPECT_NE(topic_name_problem("."), "");
  EXPECT_NE(topic_name_problem(".."), "");
}

}  // namespace
}  // namespace pgcourier::sinks
